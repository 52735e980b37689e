/** Filters that work on rows and then on columns: OpenCV's ways to resize, and its Gaussian blur. */
import { type Bytes, CHANNELS, type Floats, type Picture } from "./picture";

/** For each place of a row: which old places it is made of, and their weights. */
type Taps = { from: number[]; weights: number[] }[];

/** Bicubic where the picture grows, else the mean of the area that a pixel covers. */
export function resized(picture: Bytes, width: number, height: number): Bytes {
  if (picture.width === width && picture.height === height) return picture;
  const taps = width > picture.width ? cubic : area;
  return bytes(filtered(picture, taps(picture.width, width), taps(picture.height, height)));
}

/** Blurred bytes; the kernel has six times sigma. */
export const blurredBytes = (picture: Bytes, sigma: number): Bytes => bytes(blurred(picture, sigma, 3));

/** Blurred without rounding; the kernel has eight times sigma. */
export const blurredFloats = (picture: Bytes, sigma: number): Floats => blurred(picture, sigma, 4);

function blurred(picture: Bytes, sigma: number, reach: number): Floats {
  const radius = (Math.round(sigma * reach * 2 + 1) | 1) >> 1;
  const kernel = Array.from({ length: 2 * radius + 1 }, (_, place) => Math.exp(-((place - radius) ** 2) / (2 * sigma * sigma)));
  const sum = kernel.reduce((all, weight) => all + weight, 0);
  const weights = kernel.map((weight) => weight / sum);
  const taps = (length: number): Taps =>
    Array.from({ length }, (_, place) => ({ from: weights.map((_, tap) => mirrored(place + tap - radius, length)), weights }));
  return filtered(picture, taps(picture.width), taps(picture.height));
}

/** Beyond the border the picture goes back, without its last pixel twice. */
function mirrored(place: number, length: number): number {
  if (length === 1) return 0;
  const period = 2 * (length - 1);
  const folded = ((place % period) + period) % period;
  return folded < length ? folded : period - folded;
}

function area(old: number, length: number): Taps {
  const scale = old / length;
  return Array.from({ length }, (_, place) => {
    const [begin, end] = [place * scale, Math.min((place + 1) * scale, old)];
    const tap = { from: [] as number[], weights: [] as number[] };
    for (let one = Math.floor(begin); one < Math.ceil(end - 1e-9); one++) {
      tap.from.push(one);
      tap.weights.push((Math.min(one + 1, end) - Math.max(one, begin)) / (end - begin));
    }
    return tap;
  });
}

const SHARPNESS = -0.75;

function cubic(old: number, length: number): Taps {
  return Array.from({ length }, (_, place) => {
    const at = ((place + 0.5) * old) / length - 0.5;
    const first = Math.floor(at);
    const offsets = [-1, 0, 1, 2];
    return {
      from: offsets.map((offset) => Math.min(Math.max(first + offset, 0), old - 1)),
      weights: offsets.map((offset) => cubicWeight(Math.abs(at - first - offset))),
    };
  });
}

function cubicWeight(distance: number): number {
  const a = SHARPNESS;
  return distance <= 1
    ? ((a + 2) * distance - (a + 3)) * distance * distance + 1
    : ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a;
}

function filtered({ width, height, data }: Picture<Uint8ClampedArray>, across: Taps, down: Taps): Floats {
  const rows = new Float32Array(across.length * height * CHANNELS);
  for (let y = 0; y < height; y++)
    across.forEach(({ from, weights }, x) => sum(data, from, weights, y * width * CHANNELS, CHANNELS, rows, (y * across.length + x) * CHANNELS));
  const out = new Float32Array(across.length * down.length * CHANNELS);
  const stride = across.length * CHANNELS;
  down.forEach(({ from, weights }, y) => {
    for (let x = 0; x < across.length; x++) sum(rows, from, weights, x * CHANNELS, stride, out, y * stride + x * CHANNELS);
  });
  return { width: across.length, height: down.length, data: out };
}

/** One pixel of `out` at `to`: the weighted sum of the pixels of `data` at `start + place * stride`. */
function sum(data: ArrayLike<number>, from: number[], weights: number[], start: number, stride: number, out: Float32Array, to: number) {
  let [red, green, blue] = [0, 0, 0];
  for (let tap = 0; tap < from.length; tap++) {
    const at = start + from[tap]! * stride;
    red += data[at]! * weights[tap]!;
    green += data[at + 1]! * weights[tap]!;
    blue += data[at + 2]! * weights[tap]!;
  }
  out[to] = red;
  out[to + 1] = green;
  out[to + 2] = blue;
}

const bytes = ({ width, height, data }: Floats): Bytes => ({ width, height, data: new Uint8ClampedArray(data) });
