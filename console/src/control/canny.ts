/** Edges by Canny's method, pixel for pixel those of OpenCV (3×3 Sobel, L1 norm). */
import { type Bytes, CHANNELS } from "./picture";

/** tan(22.5°) × 2¹⁵. */
const TANGENT_22 = 13573;
const [WEAK, STRONG, WHITE] = [1, 2, 255];

/** White where the slope is a ridge steeper than `high` somewhere and than `low` all along; a value for each pixel. */
export function canny(picture: Bytes, low: number, high: number): Uint8Array {
  const { width, height } = picture;
  const { across, down, slope } = slopes(picture);
  const steps = new Uint8Array(width * height);
  const at = (x: number, y: number) => (x < 0 || y < 0 || x >= width || y >= height ? 0 : slope[y * width + x]!);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const pixel = y * width + x;
      const here = slope[pixel]!;
      if (here > Math.min(low, high) && isRidge(across[pixel]!, down[pixel]!, here, x, y, at))
        steps[pixel] = here > Math.max(low, high) ? STRONG : WEAK;
    }
  return connected(steps, width, height);
}

/** At each pixel those of the steepest channel: to the right, downwards, and the sum of their sizes. */
function slopes({ width, height, data }: Bytes) {
  const across = new Int16Array(width * height);
  const down = new Int16Array(width * height);
  const slope = new Int16Array(width * height);
  for (let y = 0; y < height; y++) {
    const rows = [Math.max(y - 1, 0), y, Math.min(y + 1, height - 1)].map((row) => row * width) as [number, number, number];
    for (let x = 0; x < width; x++) {
      const [left, right] = [Math.max(x - 1, 0), Math.min(x + 1, width - 1)];
      for (let channel = 0; channel < CHANNELS; channel++) {
        const value = (row: 0 | 1 | 2, column: number) => data[(rows[row] + column) * CHANNELS + channel]!;
        const dx = value(0, right) + 2 * value(1, right) + value(2, right) - value(0, left) - 2 * value(1, left) - value(2, left);
        const dy = value(2, left) + 2 * value(2, x) + value(2, right) - value(0, left) - 2 * value(0, x) - value(0, right);
        const size = Math.abs(dx) + Math.abs(dy);
        const pixel = y * width + x;
        if (channel > 0 && size <= slope[pixel]!) continue;
        [across[pixel], down[pixel], slope[pixel]] = [dx, dy, size];
      }
    }
  }
  return { across, down, slope };
}

/** Whether the slope is greater than at both neighbours in its direction, of four directions. */
function isRidge(dx: number, dy: number, here: number, x: number, y: number, at: (x: number, y: number) => number): boolean {
  const [run, rise] = [Math.abs(dx), Math.abs(dy) * 2 ** 15];
  if (rise < run * TANGENT_22) return here > at(x - 1, y) && here >= at(x + 1, y);
  if (rise > run * (TANGENT_22 + 2 ** 16)) return here > at(x, y - 1) && here >= at(x, y + 1);
  const side = dx < 0 !== dy < 0 ? -1 : 1;
  return here > at(x - side, y - 1) && here > at(x + side, y + 1);
}

/** White where a pixel is strong, or weak and connected to a strong one. */
function connected(steps: Uint8Array, width: number, height: number): Uint8Array {
  const out = new Uint8Array(steps.length);
  const left: number[] = [];
  const reach = (pixel: number) => {
    out[pixel] = WHITE;
    left.push(pixel);
  };
  steps.forEach((value, pixel) => value === STRONG && reach(pixel));
  for (let pixel = left.pop(); pixel !== undefined; pixel = left.pop()) {
    const [x, y] = [pixel % width, Math.trunc(pixel / width)];
    for (let row = Math.max(y - 1, 0); row <= Math.min(y + 1, height - 1); row++)
      for (let column = Math.max(x - 1, 0); column <= Math.min(x + 1, width - 1); column++) {
        const near = row * width + column;
        if (steps[near] === WEAK && out[near] === 0) reach(near);
      }
  }
  return out;
}
