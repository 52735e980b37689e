/** A picture one paints on: a mask, or colours. Keys and wheel as in WebUI and in painters' programs. */
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Toolbar } from "./Toolbar";
import type { Point } from "./gestures";
import { type Action, HELD, actionOf } from "./keys";
import { Screen } from "./screen";
import { type Kind, defaultSize, resized, useCanvasSettings } from "./settings";
import { type Drawing, add, redo, undo } from "./strokes";
import { type Tool, usePointers } from "./usePointers";
import { useWheel } from "./useWheel";
import { zoom } from "./view";

interface Props {
  label: string;
  picture: Blob;
  kind: Kind;
  drawing: Drawing;
  onDraw: (change: (drawing: Drawing) => Drawing) => void;
}

const MASK_COLOR = "#ffffff";

export function CanvasEditor({ label, picture, kind, drawing, onDraw }: Props) {
  const { t } = useTranslation();
  const settings = useCanvasSettings();
  const [tool, setTool] = useState<Tool>("brush");
  const [full, setFull] = useState(false);
  const [hidden, setHidden] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const base = useRef<HTMLCanvasElement>(null);
  const overlay = useRef<HTMLCanvasElement>(null);
  const ring = useRef<HTMLDivElement>(null);
  const panning = useRef(false);
  const [bitmap, setBitmap] = useState<ImageBitmap | null>(null);
  const screen = useRef<Screen | null>(null);
  const look = { kind, hidden, maskColor: settings.maskColor, maskOpacity: settings.maskOpacity };
  const size = settings.sizes[kind] ?? (bitmap ? defaultSize(bitmap.width, bitmap.height) : 24);

  useEffect(() => {
    let ended = false;
    void createImageBitmap(picture).then((made) => (ended ? made.close() : setBitmap(made)));
    return () => {
      ended = true;
    };
  }, [picture]);
  useEffect(() => {
    if (!bitmap) return undefined;
    const shown = new Screen(base.current!, overlay.current!, bitmap, look);
    screen.current = shown;
    const observer = new ResizeObserver(() => shown.fit());
    observer.observe(box.current!);
    return () => observer.disconnect();
    // eslint-disable-next-line react-hooks/exhaustive-deps -- a new look is set below
  }, [bitmap]);
  useEffect(() => void screen.current?.paint(drawing), [drawing, bitmap]);
  useEffect(() => {
    if (!screen.current) return;
    screen.current.look = look;
    screen.current.drawOverlay();
    // eslint-disable-next-line react-hooks/exhaustive-deps -- its parts
  }, [kind, hidden, settings.maskColor, settings.maskOpacity]);

  const brushSize = () => (settings.unit === "screen" ? size / (screen.current?.view.scale ?? 1) : size);
  const resize = (factor: number) => settings.setSize(kind, resized(size, factor));
  const place = useRef<Point | null>(null);
  const hover = (event: Point | null) => {
    place.current = event;
    const element = ring.current;
    if (!element || !box.current || !screen.current) return;
    const round = tool === "brush" || tool === "eraser";
    element.hidden = event === null || !round;
    if (event === null) return;
    const corner = box.current.getBoundingClientRect();
    const width = brushSize() * screen.current.view.scale;
    element.style.width = `${width}px`;
    element.style.translate = `${event.clientX - corner.left - width / 2}px ${event.clientY - corner.top - width / 2}px`;
  };
  useEffect(() => hover(place.current));
  useWheel(box, screen, resize);
  const pointers = usePointers({
    screen,
    drawing,
    tool,
    brushSize,
    paint: kind === "mask" ? { color: MASK_COLOR, alpha: 1 } : { color: settings.color, alpha: settings.alpha },
    panning,
    onStep: (step) => {
      if (step.kind === "stroke" || step.kind === "area") if (kind === "color" && !step.erase) settings.remember(step.color);
      onDraw((old) => add(old, step));
    },
    onPick: (color) => {
      settings.change({ color });
      setTool("brush");
    },
    onHover: hover,
  });

  const actions: Record<Action, (down: boolean) => void> = {
    smaller: () => resize(0.85),
    larger: () => resize(1.15),
    eraser: () => setTool(tool === "eraser" ? "brush" : "eraser"),
    brush: () => setTool("brush"),
    lasso: () => setTool("lasso"),
    rectangle: () => setTool("rectangle"),
    picker: () => setTool("picker"),
    swap: () => settings.change({ color: settings.otherColor, otherColor: settings.color }),
    fit: () => screen.current?.fit(),
    actual: () => screen.current?.show(zoom(screen.current.view, 1 / screen.current.view.scale, 0, 0)),
    fullScreen: () => setFull(!full),
    leave: () => setFull(false),
    undo: () => onDraw(undo),
    redo: () => onDraw(redo),
    invert: () => onDraw((old) => add(old, { kind: "invert" })),
    pan: (down) => (panning.current = down),
    original: setHidden,
  };
  const key = (down: boolean) => (event: KeyboardEvent) => {
    const action = actionOf(event, kind);
    if (action === undefined || (!down && !HELD.has(action))) return;
    event.preventDefault();
    actions[action](down);
  };

  return (
    <div className={full ? "canvas-full" : undefined}>
      <Toolbar
        kind={kind}
        tool={tool}
        onTool={setTool}
        size={size}
        picture={picture}
        drawing={drawing}
        onDraw={onDraw}
        hidden={hidden}
        onHide={setHidden}
        full={full}
        onFull={setFull}
        onFit={() => screen.current?.fit()}
      />
      <div
        ref={box}
        className="canvas-view"
        role="application"
        aria-label={label}
        aria-roledescription={t("canvas.role")}
        tabIndex={0}
        {...pointers}
        onKeyDown={key(true)}
        onKeyUp={key(false)}
      >
        <canvas ref={base} />
        <canvas ref={overlay} />
        <div ref={ring} className="brush-ring" hidden aria-hidden="true">
          <span>{size}</span>
        </div>
      </div>
    </div>
  );
}
