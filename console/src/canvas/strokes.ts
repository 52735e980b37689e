/** A drawing as a list of steps: undo takes the last one away, and what is stored survives a reload. */

interface Paint {
  erase: boolean;
  /** `#rrggbb`; masks are white. */
  color: string;
  /** 0 to 1. */
  alpha: number;
}

export interface Stroke extends Paint {
  kind: "stroke";
  /** Of the brush, in pixels of the picture. */
  size: number;
  /** x, y and pressure (0 to 1) of each point, in pixels of the picture. */
  points: number[];
}

/** What a lasso or a rectangle surrounds. */
export interface Area extends Paint {
  kind: "area";
  /** x and y of each corner, in pixels of the picture. */
  points: number[];
}
export type Step = Stroke | Area | { kind: "clear" } | { kind: "invert" } | { kind: "load"; file: Blob };

export interface Drawing {
  steps: Step[];
  undone: Step[];
}

export const EMPTY: Drawing = { steps: [], undone: [] };

export const add = (drawing: Drawing, step: Step): Drawing => ({ steps: [...drawing.steps, step], undone: [] });

export function undo({ steps, undone }: Drawing): Drawing {
  const last = steps.at(-1);
  return last === undefined ? { steps, undone } : { steps: steps.slice(0, -1), undone: [...undone, last] };
}

export function redo({ steps, undone }: Drawing): Drawing {
  const next = undone.at(-1);
  return next === undefined ? { steps, undone } : { steps: [...steps, next], undone: undone.slice(0, -1) };
}

/** The brush's width there: it follows the pressure. */
export const widthAt = (stroke: Stroke, pressure: number): number => Math.max(1, stroke.size * pressure);

/** The corners of the rectangle between two points, on whole pixels. */
export function rectangle(x: number, y: number, otherX: number, otherY: number): number[] {
  const [left, right] = [Math.round(Math.min(x, otherX)), Math.round(Math.max(x, otherX))];
  const [top, bottom] = [Math.round(Math.min(y, otherY)), Math.round(Math.max(y, otherY))];
  return [left, top, right, top, right, bottom, left, bottom];
}
