/** What is on the screen: the picture on one canvas, above it what is painted, and the ring of the brush. */
import { type Layer, newLayer, outline, paintAll, paintStep, paintStroke } from "./layer";
import type { Kind } from "./settings";
import type { Drawing, Step, Stroke } from "./strokes";
import { type View, fit, toPicture } from "./view";

export interface Look {
  kind: Kind;
  maskColor: string;
  maskOpacity: number;
  /** The original is looked at, without what is painted. */
  hidden: boolean;
}

export class Screen {
  /** All finished steps, in pixels of the picture. */
  readonly layer: OffscreenCanvasRenderingContext2D;
  view: View;
  private steps: readonly Step[] = [];
  private work: Promise<void> = Promise.resolve();
  /** A see-through stroke that is not finished. */
  private live: { layer: OffscreenCanvasRenderingContext2D; alpha: number } | null = null;
  /** Corners of a lasso or rectangle that is not finished. */
  private open: number[] = [];

  constructor(
    private readonly base: HTMLCanvasElement,
    private readonly overlay: HTMLCanvasElement,
    readonly picture: ImageBitmap,
    public look: Look,
  ) {
    this.layer = newLayer(picture.width, picture.height);
    this.view = this.fitted();
  }

  private fitted(): View {
    return fit(this.picture.width, this.picture.height, { width: this.base.clientWidth, height: this.base.clientHeight });
  }

  fit(): void {
    this.show(this.fitted());
  }

  show(view: View): void {
    this.view = view;
    this.draw();
  }

  at(event: { clientX: number; clientY: number }): { x: number; y: number } {
    const corner = this.base.getBoundingClientRect();
    return toPicture(this.view, event.clientX - corner.left, event.clientY - corner.top);
  }

  /** Paints what is new in the drawing, or everything if steps were taken away. */
  paint({ steps }: Drawing): Promise<void> {
    this.work = this.work.then(async () => {
      if (this.steps.every((step, index) => steps[index] === step))
        for (const step of steps.slice(this.steps.length)) await paintStep(this.layer, step);
      else await paintAll(this.layer, { steps, undone: [] });
      this.steps = steps;
      this.drawOverlay();
    });
    return this.work;
  }

  /** Shows the points of a stroke from the number `from` on. */
  grow(stroke: Stroke, from: number): void {
    if (stroke.alpha < 1 && !stroke.erase) {
      this.live ??= { layer: newLayer(this.picture.width, this.picture.height), alpha: stroke.alpha };
      paintStroke(this.live.layer, { ...stroke, alpha: 1 }, from);
    } else paintStroke(this.layer, stroke, from);
    this.drawOverlay();
  }

  /** A stroke that has grown to its end is painted already, if it is not see-through. */
  finish(step: Step): void {
    this.open = [];
    if (step.kind === "stroke" && this.live === null) this.steps = [...this.steps, step];
    this.live = null;
  }

  /** Takes an unfinished stroke away. */
  drop(drawing: Drawing): void {
    this.open = [];
    this.live = null;
    this.steps = [{ kind: "clear" }];
    void this.paint(drawing);
  }

  surround(points: number[]): void {
    this.open = points;
    this.drawOverlay();
  }

  /** `#rrggbb` of the picture with what is painted on it. */
  colorAt(x: number, y: number): string {
    const one = newLayer(1, 1);
    for (const from of [this.picture, this.layer.canvas])
      one.drawImage(from, Math.floor(x), Math.floor(y), 1, 1, 0, 0, 1, 1);
    const [red, green, blue] = one.getImageData(0, 0, 1, 1).data;
    return `#${[red, green, blue].map((value) => value!.toString(16).padStart(2, "0")).join("")}`;
  }

  draw(): void {
    for (const canvas of [this.base, this.overlay]) {
      canvas.width = canvas.clientWidth * devicePixelRatio;
      canvas.height = canvas.clientHeight * devicePixelRatio;
    }
    this.placed(this.base).drawImage(this.picture, 0, 0);
    this.drawOverlay();
  }

  drawOverlay(): void {
    const context = this.placed(this.overlay);
    const { kind, hidden, maskColor, maskOpacity } = this.look;
    this.overlay.style.opacity = String(kind === "mask" ? maskOpacity : 1);
    if (hidden) return;
    context.drawImage(this.layer.canvas, 0, 0);
    if (this.live) {
      context.globalAlpha = this.live.alpha;
      context.drawImage(this.live.layer.canvas, 0, 0);
      context.globalAlpha = 1;
    }
    if (kind === "mask") this.tint(context, maskColor);
    if (this.open.length > 2) this.drawOutline(context);
  }

  /** White could not be seen on a white picture, nor black on a black one. */
  private tint(context: Layer, color: string): void {
    context.globalCompositeOperation = "source-in";
    context.fillStyle = color;
    context.fillRect(0, 0, this.picture.width, this.picture.height);
    context.globalCompositeOperation = "source-over";
  }

  private drawOutline(context: Layer): void {
    outline(context, this.open);
    for (const [color, dashes] of [["black", []], ["white", [4, 4]]] as const) {
      context.strokeStyle = color;
      context.lineWidth = 1.5 / this.view.scale;
      context.setLineDash(dashes.map((length) => length / this.view.scale));
      context.stroke();
    }
    context.setLineDash([]);
  }

  private placed(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
    const context = canvas.getContext("2d")!;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    const { scale, x, y } = this.view;
    const ratio = devicePixelRatio;
    context.setTransform(scale * ratio, 0, 0, scale * ratio, x * ratio, y * ratio);
    context.imageSmoothingEnabled = scale < 1;
    return context;
  }
}
