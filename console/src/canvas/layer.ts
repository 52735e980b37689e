/** Paints the steps of a drawing on a layer of the picture's size. */
import { type Area, type Drawing, type Step, type Stroke, widthAt } from "./strokes";

export type Layer = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

export function newLayer(width: number, height: number): OffscreenCanvasRenderingContext2D {
  return new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
}

export async function paintAll(layer: Layer, { steps }: Drawing): Promise<void> {
  layer.clearRect(0, 0, layer.canvas.width, layer.canvas.height);
  // What comes before the last clearing cannot be seen any more.
  const from = steps.findLastIndex((step) => step.kind === "clear");
  for (const step of steps.slice(from + 1)) await paintStep(layer, step);
}

export async function paintStep(layer: Layer, step: Step): Promise<void> {
  const { width, height } = layer.canvas;
  if (step.kind === "stroke") paintStroke(layer, step);
  else if (step.kind === "area") paintArea(layer, step);
  else if (step.kind === "clear") layer.clearRect(0, 0, width, height);
  else if (step.kind === "invert") invert(layer);
  else await load(layer, step.file);
}

/** From the point with the number `from` on: a stroke that grows is painted piece by piece, each piece once. */
export function paintStroke(layer: Layer, stroke: Stroke, from = 0): void {
  painted(layer, stroke, (on) => line(on, stroke, from));
}

function paintArea(layer: Layer, area: Area): void {
  painted(layer, area, (on) => {
    outline(on, area.points);
    on.fill();
  });
}

export function outline(layer: Layer, points: number[]): void {
  layer.beginPath();
  for (let i = 0; i + 1 < points.length; i += 2) layer.lineTo(points[i]!, points[i + 1]!);
  layer.closePath();
}

function painted(layer: Layer, step: Stroke | Area, paint: (layer: Layer) => void): void {
  layer.save();
  layer.globalCompositeOperation = step.erase ? "destination-out" : "source-over";
  if (step.alpha === 1 || step.erase) prepared(layer, step.color, paint);
  else {
    // Where a see-through stroke crosses itself it must not become darker.
    const own = newLayer(layer.canvas.width, layer.canvas.height);
    prepared(own, step.color, paint);
    layer.globalAlpha = step.alpha;
    layer.drawImage(own.canvas, 0, 0);
  }
  layer.restore();
}

function prepared(layer: Layer, color: string, paint: (layer: Layer) => void): void {
  layer.strokeStyle = color;
  layer.fillStyle = color;
  layer.lineCap = "round";
  layer.lineJoin = "round";
  paint(layer);
}

function line(layer: Layer, stroke: Stroke, from: number): void {
  const { points } = stroke;
  if (from === 0) {
    const [x, y, pressure] = points as [number, number, number];
    layer.beginPath();
    layer.arc(x, y, widthAt(stroke, pressure) / 2, 0, 2 * Math.PI);
    layer.fill();
  }
  for (let i = 3 * Math.max(from, 1); i + 2 < points.length; i += 3) {
    layer.lineWidth = widthAt(stroke, points[i + 2]!);
    layer.beginPath();
    layer.moveTo(points[i - 3]!, points[i - 2]!);
    layer.lineTo(points[i]!, points[i + 1]!);
    layer.stroke();
  }
}

function invert(layer: Layer): void {
  const { width, height } = layer.canvas;
  const data = layer.getImageData(0, 0, width, height);
  for (let i = 0; i < data.data.length; i += 4) {
    const alpha = data.data[i + 3]!;
    data.data.fill(255, i, i + 3);
    data.data[i + 3] = 255 - alpha;
  }
  layer.putImageData(data, 0, 0);
}

/** White is redrawn; a file with transparency says by its alpha what is. */
async function load(layer: Layer, file: Blob): Promise<void> {
  const { binaryMask } = await import("./pixels");
  const bitmap = await createImageBitmap(file);
  const { width, height } = layer.canvas;
  const scaled = newLayer(width, height);
  scaled.drawImage(bitmap, 0, 0, width, height);
  const data = scaled.getImageData(0, 0, width, height);
  const mask = binaryMask(data.data);
  for (let i = 0; i < mask.length; i++) {
    data.data.fill(255, 4 * i, 4 * i + 3);
    data.data[4 * i + 3] = mask[i]!;
  }
  layer.putImageData(data, 0, 0);
}
