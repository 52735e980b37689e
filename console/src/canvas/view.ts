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
