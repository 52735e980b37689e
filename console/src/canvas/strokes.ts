/** A drawing as a list of steps: undo takes the last one away, and what is stored survives a reload. */

export interface Stroke {
  kind: "stroke";
  erase: boolean;
  /** Of the brush, in pixels of the picture. */
  size: number;
  /** `#rrggbb`; masks are white. */
  color: string;
  /** 0 to 1. */
  alpha: number;
  /** x, y and pressure (0 to 1) of each point, in pixels of the picture. */
  points: number[];
}
export type Step = Stroke | { kind: "clear" } | { kind: "invert" } | { kind: "load"; file: Blob };

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

/** A point somewhere else at the same time is the same stroke: its width follows the pressure. */
export const widthAt = (stroke: Stroke, pressure: number): number => Math.max(1, stroke.size * pressure);
