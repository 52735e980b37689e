/** Zoom and pan: from places on the screen to pixels of the picture and back. */

export interface View {
  /** Screen pixels per pixel of the picture. */
  scale: number;
  /** Where the picture's corner is on the screen. */
  x: number;
  y: number;
}

const SMALLEST = 0.05;
const LARGEST = 32;

/** The whole picture, in the middle, not enlarged beyond eight times. */
export function fit(width: number, height: number, room: { width: number; height: number }): View {
  const scale = Math.min(room.width / width, room.height / height, 8);
  return { scale, x: (room.width - width * scale) / 2, y: (room.height - height * scale) / 2 };
}

export const toPicture = (view: View, x: number, y: number) => ({
  x: (x - view.x) / view.scale,
  y: (y - view.y) / view.scale,
});

/** Zooms about a place on the screen, which keeps its pixel. */
export function zoom(view: View, factor: number, x: number, y: number): View {
  const scale = Math.min(LARGEST, Math.max(SMALLEST, view.scale * factor));
  const grown = scale / view.scale;
  return { scale, x: x - (x - view.x) * grown, y: y - (y - view.y) * grown };
}

export const pan = (view: View, dx: number, dy: number): View => ({ ...view, x: view.x + dx, y: view.y + dy });

interface Place {
  x: number;
  y: number;
}

/** Two fingers: the picture stays under both. */
export function pinch(view: View, before: readonly [Place, Place], after: readonly [Place, Place]): View {
  const middle = ([a, b]: readonly [Place, Place]) => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
  const distance = ([a, b]: readonly [Place, Place]) => Math.max(1, Math.hypot(a.x - b.x, a.y - b.y));
  const [from, to] = [middle(before), middle(after)];
  return zoom(pan(view, to.x - from.x, to.y - from.y), distance(after) / distance(before), to.x, to.y);
}
