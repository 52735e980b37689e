/** The files that a drawing becomes: a black and white mask, a painted picture, or both. */
import { newLayer, paintAll } from "./layer";
import { binaryMask, deriveInpaintSketch } from "./pixels";
import type { Drawing } from "./strokes";

async function png(canvas: OffscreenCanvas): Promise<Blob> {
  return canvas.convertToBlob({ type: "image/png" });
}

async function pictureLayer(picture: Blob) {
  const bitmap = await createImageBitmap(picture);
  const layer = newLayer(bitmap.width, bitmap.height);
  layer.drawImage(bitmap, 0, 0);
  return layer;
}

async function painted(picture: Blob, drawing: Drawing) {
  const layer = await pictureLayer(picture);
  const strokes = newLayer(layer.canvas.width, layer.canvas.height);
  await paintAll(strokes, drawing);
  layer.drawImage(strokes.canvas, 0, 0);
  return layer;
}

function grey(mask: Uint8Array, width: number, height: number): OffscreenCanvas {
  const layer = newLayer(width, height);
  const data = layer.createImageData(width, height);
  for (let i = 0; i < mask.length; i++) {
    data.data.fill(mask[i]!, 4 * i, 4 * i + 3);
    data.data[4 * i + 3] = 255;
  }
  layer.putImageData(data, 0, 0);
  return layer.canvas;
}

/** Inpaint: white where it was painted. */
export async function maskFile(picture: Blob, drawing: Drawing): Promise<Blob> {
  const { width, height } = await createImageBitmap(picture);
  const layer = newLayer(width, height);
  await paintAll(layer, drawing);
  const data = layer.getImageData(0, 0, width, height).data;
  // A layer painted all over has no transparency left to say what was painted.
  const mask = data.every((value, index) => index % 4 !== 3 || value === 255)
    ? new Uint8Array(width * height).fill(255)
    : binaryMask(data);
  return png(grey(mask, width, height));
}

/** Sketch: the picture with the strokes on it. */
export async function sketchFile(picture: Blob, drawing: Drawing): Promise<Blob> {
  return png((await painted(picture, drawing)).canvas);
}

/** Inpaint sketch: the picture and the mask that WebUI derives from the strokes. */
export async function inpaintSketchFiles(picture: Blob, drawing: Drawing, blur: number, transparency = 0) {
  const original = await pictureLayer(picture);
  const layer = await painted(picture, drawing);
  const { width, height } = layer.canvas;
  const [before, after] = [original, layer].map((each) => each.getImageData(0, 0, width, height).data) as [
    Uint8ClampedArray,
    Uint8ClampedArray,
  ];
  const { image, mask } = deriveInpaintSketch(after, before, width, height, blur, transparency);
  original.putImageData(new ImageData(new Uint8ClampedArray(image), width, height), 0, 0);
  return { image: await png(original.canvas), mask: await png(grey(mask, width, height)) };
}

/** Inpaint upload: the file as black and white, as WebUI reads it. */
export async function uploadedMaskFile(file: Blob): Promise<Blob> {
  const layer = await pictureLayer(file);
  const { width, height } = layer.canvas;
  return png(grey(binaryMask(layer.getImageData(0, 0, width, height).data), width, height));
}
