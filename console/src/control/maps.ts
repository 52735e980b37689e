/** ControlNet's preprocessors without weights, as the container makes their maps (`control_maps.py`). */
import { canny } from "./canny";
import { blurredBytes, blurredFloats, resized } from "./filter";
import { type Bytes, CHANNELS, cropped, grey, least, padded } from "./picture";

/** The extension finds edges and lines in pictures that are padded to multiples of this size. */
const PAD = 64;

export interface Settings {
  /** The map's shorter side. */
  resolution: number;
  a: number;
  b: number;
}

type Maker = (picture: Bytes, settings: Settings) => Bytes;

export const MAPS: Readonly<Record<string, Maker>> = {
  none: (picture) => picture,
  invert: ({ width, height, data }) => ({ width, height, data: data.map((value) => 255 - value) }),
  canny: (picture, { resolution, a, b }) =>
    inPadded(scaled(picture, resolution), (wide) => {
      const edges = canny(wide, Math.trunc(a), Math.trunc(b));
      return grey(wide, (pixel) => edges[pixel]!);
    }),
  threshold: (picture, { resolution, a }) => {
    const small = scaled(picture, resolution);
    return grey(small, (pixel) => (least(small.data, pixel) > a ? 255 : 0));
  },
  blur_gaussian: (picture, { resolution, a }) => blurredBytes(scaled(picture, resolution), a),
  tile_resample: (picture, { a }) =>
    a < 1.1 ? picture : resized(picture, Math.max(1, Math.trunc(picture.width / a)), Math.max(1, Math.trunc(picture.height / a))),
  scribble_xdog: (picture, { resolution, a }) => inPadded(scaled(picture, resolution), (wide) => darker(wide, a)),
  lineart_standard: (picture, { resolution }) => inPadded(scaled(picture, resolution), lines),
  recolor_luminance: (picture, { a }) => brightness(picture, luminance, a),
  recolor_intensity: (picture, { a }) => brightness(picture, (data, at) => Math.max(data[at]!, data[at + 1]!, data[at + 2]!), a),
};

/** `level` of each pixel, from 0 to 255, raised to gamma. */
function brightness(picture: Bytes, level: (data: Uint8ClampedArray, at: number) => number, gamma: number): Bytes {
  return grey(picture, (pixel) => Math.trunc((level(picture.data, pixel * CHANNELS) / 255) ** gamma * 255));
}

/** L of CIELAB as OpenCV has it in eight bits. The extension takes red for blue. */
function luminance(data: Uint8ClampedArray, at: number): number {
  const y = 0.072169 * linear(data[at]!) + 0.71516 * linear(data[at + 1]!) + 0.212671 * linear(data[at + 2]!);
  return Math.round((y > 0.008856 ? 116 * Math.cbrt(y) - 16 : 903.3 * y) * 2.55);
}

/** Of a value in sRGB the share of light. */
const linear = (value: number): number => (value <= 10 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4);

function scaled(picture: Bytes, resolution: number): Bytes {
  const scale = resolution / Math.min(picture.width, picture.height);
  return resized(picture, even(picture.width * scale), even(picture.height * scale));
}

/** Rounded as in Python: a half to the even neighbour. */
function even(value: number): number {
  const below = Math.floor(value);
  return Math.max(1, value - below === 0.5 ? below + (below % 2) : Math.round(value));
}

function inPadded(small: Bytes, make: (wide: Bytes) => Bytes): Bytes {
  return cropped(make(padded(small, PAD)), small.width, small.height);
}

/** White where the picture is darker than its surroundings in every channel. */
function darker(wide: Bytes, level: number): Bytes {
  const [fine, coarse] = [blurredFloats(wide, 0.5).data, blurredFloats(wide, 5).data];
  const depth = coarse.map((value, at) => value - fine[at]!);
  return grey(wide, (pixel) => {
    const lightness = Math.trunc(clipped(255 - least(depth, pixel)));
    // In eight bits, as in the extension: from a difference of 128 on it begins again at 0.
    return (((255 - lightness) << 1) & 255) > level ? 255 : 0;
  });
}

/** How much darker the picture is than its surroundings, with its usual line at half of white. */
function lines(wide: Bytes): Bytes {
  const around = blurredFloats(wide, 6).data;
  const above = around.map((value, at) => value - wide.data[at]!);
  const depth = Float32Array.from({ length: wide.width * wide.height }, (_, pixel) => clipped(least(above, pixel)));
  const usual = Math.max(16, median(depth.filter((value) => value > 8)));
  return grey(wide, (pixel) => Math.trunc(clipped((depth[pixel]! / usual) * 127)));
}

const clipped = (value: number): number => Math.min(Math.max(value, 0), 255);

function median(values: Float32Array): number {
  if (values.length === 0) return 0;
  const sorted = values.toSorted();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
