/** A picture one paints on: a mask, or colours. Keys and wheel as in WebUI and in painters' programs. */
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Toolbar } from "./Toolbar";
import { newLayer, paintAll, paintStroke } from "./layer";
import { type Drawing, type Stroke, add, redo, undo } from "./strokes";
import { type View, fit, pan, toPicture, zoom } from "./view";

export interface Brush {
  size: number;
  erase: boolean;
  color: string;
  alpha: number;
}

interface Props {
  label: string;
  picture: Blob;
  kind: "mask" | "color";
  drawing: Drawing;
  onDraw: (change: (drawing: Drawing) => Drawing) => void;
}

const MASK_COLOR = "#ffffff";
const MASK_OPACITY = 0.6;
const LARGEST_BRUSH = 500;

export function CanvasEditor({ label, picture, kind, drawing, onDraw }: Props) {
  const { t } = useTranslation();
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [bitmap, setBitmap] = useState<ImageBitmap | null>(null);
  const [view, setView] = useState<View | null>(null);
  const [brush, setBrush] = useState<Brush>({ size: 24, erase: false, color: "#e03131", alpha: 1 });
  const [place, setPlace] = useState<{ x: number; y: number } | null>(null);
  const layer = useRef<OffscreenCanvasRenderingContext2D | null>(null);
  const stroke = useRef<Stroke | null>(null);
  const moving = useRef<{ x: number; y: number } | null>(null);
  const [painted, setPainted] = useState(0);

  useEffect(() => {
    let ended = false;
    void createImageBitmap(picture).then((made) => {
      if (ended) return made.close();
      layer.current = newLayer(made.width, made.height);
      setBitmap(made);
      setBrush((old) => ({ ...old, size: Math.max(2, Math.round(Math.max(made.width, made.height) / 16)) }));
    });
    return () => {
      ended = true;
    };
  }, [picture]);

  const reset = () => {
    if (bitmap && box.current) setView(fit(bitmap.width, bitmap.height, box.current.getBoundingClientRect()));
  };
  // eslint-disable-next-line react-hooks/exhaustive-deps -- a new picture is shown as a whole
  useEffect(reset, [bitmap]);

  useEffect(() => {
    if (layer.current && bitmap) void paintAll(layer.current, drawing).then(() => setPainted((count) => count + 1));
  }, [drawing, bitmap]);

  useEffect(() => {
    const element = canvas.current;
    if (!element || !bitmap || !view || !layer.current) return;
    const ratio = devicePixelRatio;
    element.width = element.clientWidth * ratio;
    element.height = element.clientHeight * ratio;
    const context = element.getContext("2d")!;
    context.setTransform(view.scale * ratio, 0, 0, view.scale * ratio, view.x * ratio, view.y * ratio);
    context.imageSmoothingEnabled = view.scale < 1;
    context.drawImage(bitmap, 0, 0);
    if (kind === "mask") drawMask(context, layer.current.canvas);
    else context.drawImage(layer.current.canvas, 0, 0);
    if (place) {
      context.beginPath();
      context.arc(place.x, place.y, brush.size / 2, 0, 2 * Math.PI);
      for (const [color, width] of [["black", 3], ["white", 1.5]] as const) {
        context.strokeStyle = color;
        context.lineWidth = width / view.scale;
        context.stroke();
      }
    }
  }, [bitmap, view, painted, place, brush.size, kind]);

  const at = (event: { clientX: number; clientY: number }) => {
    const corner = box.current!.getBoundingClientRect();
    return toPicture(view!, event.clientX - corner.left, event.clientY - corner.top);
  };
  const resize = (factor: number) =>
    setBrush((old) => ({
      ...old,
      size: Math.min(LARGEST_BRUSH, Math.max(1, Math.round(old.size * factor + (factor > 1 ? 0.5 : -0.5)))),
    }));
  const extend = (event: { clientX: number; clientY: number; pressure: number; pointerType: string }) => {
    const { x, y } = at(event);
    // A mouse has no pressure; browsers say 0.5 for it.
    stroke.current!.points.push(x, y, event.pointerType === "pen" ? Math.max(event.pressure, 0.05) : 1);
  };

  const down = (event: React.PointerEvent) => {
    if (!view) return;
    box.current!.focus({ preventScroll: true });
    box.current!.setPointerCapture(event.pointerId);
    if (event.button === 1 || spaceHeld.current) {
      moving.current = { x: event.clientX, y: event.clientY };
      return;
    }
    const erase = brush.erase || event.altKey || event.button === 2 || event.button === 5;
    const last = drawing.steps.at(-1);
    stroke.current = {
      kind: "stroke",
      erase,
      size: brush.size,
      color: kind === "mask" ? MASK_COLOR : brush.color,
      alpha: kind === "mask" ? 1 : brush.alpha,
      // A straight line from where the last stroke ended.
      points: event.shiftKey && last?.kind === "stroke" ? last.points.slice(-3) : [],
    };
    extend(event);
    show();
  };
  const move = (event: React.PointerEvent) => {
    if (!view) return;
    if (moving.current) {
      const { x, y } = moving.current;
      moving.current = { x: event.clientX, y: event.clientY };
      setView(pan(view, event.clientX - x, event.clientY - y));
      return;
    }
    setPlace(at(event));
    if (!stroke.current) return;
    for (const each of event.nativeEvent.getCoalescedEvents?.() ?? [event.nativeEvent]) extend(each);
    show();
  };
  const up = () => {
    moving.current = null;
    const done = stroke.current;
    stroke.current = null;
    if (done) onDraw((old) => add(old, done));
  };
  /** The stroke that is being drawn, over those that are there. */
  const show = () => {
    paintStroke(layer.current!, { ...stroke.current!, alpha: 1 });
    setPainted((count) => count + 1);
  };

  const spaceHeld = useRef(false);
  const key = (event: React.KeyboardEvent) => {
    const control = event.ctrlKey || event.metaKey;
    const actions: Record<string, () => void> = {
      "[": () => resize(0.85),
      "]": () => resize(1.15),
      q: () => resize(0.85),
      w: () => resize(1.15),
      e: () => setBrush((old) => ({ ...old, erase: !old.erase })),
      b: () => setBrush((old) => ({ ...old, erase: false })),
      r: reset,
    };
    const pressed = event.key.toLowerCase();
    let action: (() => void) | undefined;
    if (control && pressed === "z") action = () => onDraw(event.shiftKey ? redo : undo);
    else if (control && pressed === "y") action = () => onDraw(redo);
    else if (control && pressed === "0") action = reset;
    else if (control && pressed === "1") action = () => view && setView(zoom(view, 1 / view.scale, 0, 0));
    else if (event.shiftKey && pressed === "v" && kind === "mask") action = () => onDraw((old) => add(old, { kind: "invert" }));
    else if (pressed === " ") action = () => (spaceHeld.current = true);
    else if (!control) action = actions[pressed];
    if (action) {
      event.preventDefault();
      action();
    }
  };

  // React listens to wheels passively, and the page would scroll.
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      if (event.ctrlKey) return resize(event.deltaY < 0 ? 1.1 : 0.9);
      const corner = element.getBoundingClientRect();
      setView(
        (old) => old && zoom(old, event.deltaY < 0 ? 1.15 : 1 / 1.15, event.clientX - corner.left, event.clientY - corner.top),
      );
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, []);

  return (
    <>
      <Toolbar kind={kind} brush={brush} onBrush={setBrush} picture={picture} drawing={drawing} onDraw={onDraw} onFit={reset} />
      <div
        ref={box}
        className="canvas-view"
        role="application"
        aria-label={label}
        aria-roledescription={t("canvas.role")}
        tabIndex={0}
        onPointerDown={down}
        onPointerMove={move}
        onPointerUp={up}
        onPointerCancel={up}
        onPointerLeave={() => setPlace(null)}
        onContextMenu={(event) => event.preventDefault()}
        onKeyDown={key}
        onKeyUp={(event) => event.key === " " && (spaceHeld.current = false)}
      >
        <canvas ref={canvas} />
      </div>
    </>
  );
}

/** White could not be seen on a white picture, nor black on a black one. */
function drawMask(context: CanvasRenderingContext2D, mask: OffscreenCanvas) {
  const colored = newLayer(mask.width, mask.height);
  colored.drawImage(mask, 0, 0);
  colored.globalCompositeOperation = "source-in";
  colored.fillStyle = "#ff2d78";
  colored.fillRect(0, 0, mask.width, mask.height);
  context.globalAlpha = MASK_OPACITY;
  context.drawImage(colored.canvas, 0, 0);
  context.globalAlpha = 1;
}
