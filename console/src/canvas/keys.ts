/** The canvas' keys, as in WebUI and in painters' programs. */
export type Action =
  | "smaller"
  | "larger"
  | "eraser"
  | "brush"
  | "lasso"
  | "rectangle"
  | "picker"
  | "swap"
  | "fit"
  | "actual"
  | "fullScreen"
  | "leave"
  | "undo"
  | "redo"
  | "invert"
  | "pan"
  | "original";

const PLAIN: Record<string, Action> = {
  "[": "smaller",
  "]": "larger",
  q: "smaller",
  w: "larger",
  e: "eraser",
  b: "brush",
  l: "lasso",
  m: "rectangle",
  i: "picker",
  x: "swap",
  r: "fit",
  s: "fullScreen",
  escape: "leave",
  " ": "pan",
  f: "pan",
  "\\": "original",
};
const CONTROL: Record<string, Action> = { z: "undo", y: "redo", 0: "fit", 1: "actual" };
const COLORS_ONLY: ReadonlySet<Action> = new Set(["picker", "swap"]);
/** They last as long as the key is down. */
export const HELD: ReadonlySet<Action> = new Set(["pan", "original"]);

interface Key {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  shiftKey: boolean;
}

export function actionOf(event: Key, kind: "mask" | "color"): Action | undefined {
  const pressed = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) return event.shiftKey && pressed === "z" ? "redo" : CONTROL[pressed];
  if (event.shiftKey && pressed === "v") return kind === "mask" ? "invert" : undefined;
  const action = PLAIN[pressed];
  return action !== undefined && COLORS_ONLY.has(action) && kind === "mask" ? undefined : action;
}
