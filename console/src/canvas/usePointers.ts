/** Mouse, pen and fingers on the canvas. A finger draws only while no pen was seen: a palm must not leave marks. */
import { type PointerEvent, type RefObject, useRef } from "react";
import { type Gesture, Panning, type Point, Stroking, Surrounding } from "./gestures";
import type { Screen } from "./screen";
import type { Drawing, Step, Stroke } from "./strokes";
import { pinch } from "./view";

export type Tool = "brush" | "eraser" | "rectangle" | "lasso" | "picker";

interface Options {
  screen: RefObject<Screen | null>;
  drawing: Drawing;
  tool: Tool;
  /** In pixels of the picture. */
  brushSize: () => number;
  paint: { color: string; alpha: number };
  /** Space or F is held. */
  panning: RefObject<boolean>;
  onStep: (step: Step) => void;
  onPick: (color: string) => void;
  onHover: (event: Point | null) => void;
}

const MIDDLE = 1;
const RIGHT = 2;
const PEN_ERASER = 5;

export function usePointers(options: Options) {
  const gesture = useRef<Gesture | null>(null);
  const fingers = useRef(new Map<number, Point>());
  const penSeen = useRef(false);

  const begin = (screen: Screen, event: PointerEvent): Gesture | null => {
    const { tool, drawing, paint } = options;
    const point = pointOf(event);
    if (event.button === MIDDLE || options.panning.current || (event.pointerType === "touch" && penSeen.current))
      return new Panning(screen, point);
    if (tool === "picker") {
      const { x, y } = screen.at(event);
      options.onPick(screen.colorAt(x, y));
      return null;
    }
    const erase = tool === "eraser" || event.altKey || event.button === RIGHT || event.button === PEN_ERASER;
    if (tool === "rectangle" || tool === "lasso")
      return new Surrounding(screen, { kind: "area", erase, ...paint, points: [] }, tool === "rectangle", point);
    const last = drawing.steps.at(-1);
    // A straight line from where the last stroke ended.
    const points = event.shiftKey && last?.kind === "stroke" ? last.points.slice(-3) : [];
    const stroke: Stroke = { kind: "stroke", erase, size: options.brushSize(), ...paint, points };
    return new Stroking(screen, stroke, point);
  };

  const down = (event: PointerEvent<HTMLElement>) => {
    const screen = options.screen.current;
    if (!screen) return;
    event.currentTarget.focus({ preventScroll: true });
    event.currentTarget.setPointerCapture(event.pointerId);
    if (event.pointerType === "pen") penSeen.current = true;
    if (event.pointerType === "touch") fingers.current.set(event.pointerId, pointOf(event));
    if (fingers.current.size === 2) {
      gesture.current = null;
      screen.drop(options.drawing);
    } else if (fingers.current.size < 2) gesture.current = begin(screen, event);
  };

  const move = (event: PointerEvent<HTMLElement>) => {
    const screen = options.screen.current;
    if (!screen) return;
    const before = [...fingers.current.values()];
    if (fingers.current.has(event.pointerId)) fingers.current.set(event.pointerId, pointOf(event));
    options.onHover(event.pointerType === "touch" ? null : pointOf(event));
    if (before.length === 2) {
      const corner = event.currentTarget.getBoundingClientRect();
      screen.show(pinch(screen.view, pair(before, corner), pair([...fingers.current.values()], corner)));
      return;
    }
    const all = event.nativeEvent.getCoalescedEvents?.() ?? [];
    gesture.current?.move((all.length > 0 ? all : [event.nativeEvent]).map(pointOf));
  };

  const up = (event: PointerEvent<HTMLElement>) => {
    fingers.current.delete(event.pointerId);
    const step = gesture.current?.end();
    gesture.current = null;
    if (!step) return;
    options.screen.current?.finish(step);
    options.onStep(step);
  };

  const cancel = (event: PointerEvent<HTMLElement>) => {
    fingers.current.delete(event.pointerId);
    gesture.current = null;
    options.screen.current?.drop(options.drawing);
  };

  return {
    onPointerDown: down,
    onPointerMove: move,
    onPointerUp: up,
    onPointerCancel: cancel,
    onPointerLeave: () => options.onHover(null),
    onContextMenu: (event: { preventDefault: () => void }) => event.preventDefault(),
  };
}

const pointOf = ({ clientX, clientY, pressure, pointerType }: Point): Point => ({ clientX, clientY, pressure, pointerType });

const pair = (fingers: Point[], corner: DOMRect) =>
  fingers.map(({ clientX, clientY }) => ({ x: clientX - corner.left, y: clientY - corner.top })) as [
    { x: number; y: number },
    { x: number; y: number },
  ];
