/**
 * What the five modes send, as arithmetic on bytes: the same bytes as WebUI's own tab, which works with Pillow.
 *
 * Python and TypeScript are held to the same vectors (`tests/console/vectors`). Channels are in the order of `ImageData`.
 */

/** Black and white, from a drawing or a file: by its alpha where it has any, else by its brightness (WebUI 1.10.1). */
export function binaryMask(rgba: Uint8ClampedArray | Uint8Array): Uint8Array {
  const count = rgba.length / 4;
  let opaque = true;
  for (let i = 0; i < count && opaque; i++) opaque = rgba[4 * i + 3] === 255;
  const mask = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    if (opaque) mask[i] = luminance(rgba[4 * i]!, rgba[4 * i + 1]!, rgba[4 * i + 2]!);
    else mask[i] = rgba[4 * i + 3]! > 128 ? 255 : 0;
  }
  return mask;
}

/** Pillow's `convert("L")`. */
function luminance(red: number, green: number, blue: number): number {
  return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
}

export interface SketchedPicture {
  /** RGBA, opaque. */
  image: Uint8Array;
  mask: Uint8Array;
}

/**
 * The picture and mask of the tab Inpaint sketch; every pixel in which a channel differs counts as painted.
 *
 * @param blur the request's `mask_blur`, a radius in pixels
 * @param transparency percent; dims the mask as well as the strokes, as in WebUI
 */
export function deriveInpaintSketch(
  painted: Uint8ClampedArray | Uint8Array,
  original: Uint8ClampedArray | Uint8Array,
  width: number,
  height: number,
  blur: number,
  transparency = 0,
): SketchedPicture {
  const count = width * height;
  const factor = Math.fround(1 - transparency / 100);
  const mask = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const differs = [0, 1, 2].some((channel) => painted[4 * i + channel] !== original[4 * i + channel]);
    mask[i] = differs ? Math.trunc(Math.fround(factor * 255)) : 0;
  }
  const weight = gaussianBlur(mask, width, height, blur);
  const image = new Uint8Array(4 * count).fill(255);
  for (let channel = 0; channel < 3; channel++) {
    const plane = new Uint8Array(count);
    for (let i = 0; i < count; i++) plane[i] = painted[4 * i + channel]!;
    const soft = gaussianBlur(plane, width, height, blur);
    for (let i = 0; i < count; i++) {
      const under = original[4 * i + channel]!;
      image[4 * i + channel] = by255(under * (255 - weight[i]!) + soft[i]! * weight[i]!);
    }
  }
  return { image, mask };
}

function by255(product: number): number {
  const sum = product + 128;
  return ((sum >> 8) + sum) >> 8;
}

/** Pillow's `GaussianBlur`: three box blurs with a fractional radius, along x and then along y. */
export function gaussianBlur(plane: Uint8Array, width: number, height: number, radius: number): Uint8Array {
  if (radius === 0) return plane.slice();
  const box = boxRadius(radius, 3);
  const across = blurLines(plane, width, height, 1, width, box);
  return blurLines(across, height, width, width, 1, box);
}

function boxRadius(sigma: number, passes: number): number {
  const single = Math.fround;
  const variance = single(single(sigma * sigma) / passes);
  const length = Math.sqrt(12 * variance + 1);
  const whole = Math.floor(single((single(length) - 1) / 2));
  const part = single((2 * whole + 1) * (whole * (whole + 1) - 3 * variance));
  return single(whole + single(part / single(6 * (variance - (whole + 1) * (whole + 1)))));
}

function blurLines(plane: Uint8Array, length: number, lines: number, step: number, stride: number, box: number) {
  const radius = Math.trunc(box);
  // Pillow divides in single precision.
  const near = Math.trunc(Math.fround(2 ** 24 / Math.fround(box * 2 + 1)));
  const far = Math.trunc((2 ** 24 - (radius * 2 + 1) * near) / 2);
  const out = new Uint8Array(plane.length);
  let from = new Uint8Array(length);
  let to = new Uint8Array(length);
  const last = length - 1;
  for (let line = 0; line < lines; line++) {
    for (let x = 0; x < length; x++) from[x] = plane[line * stride + x * step]!;
    for (let pass = 0; pass < 3; pass++) {
      let sum = 0;
      for (let x = -radius - 1; x < radius; x++) sum += from[Math.min(Math.max(x, 0), last)]!;
      for (let x = 0; x < length; x++) {
        const left = from[Math.max(x - radius - 1, 0)]!;
        sum += from[Math.min(x + radius, last)]! - left;
        const right = from[Math.min(x + radius + 1, last)]!;
        to[x] = Math.floor((sum * near + (left + right) * far + 2 ** 23) / 2 ** 24);
      }
      [from, to] = [to, from];
    }
    for (let x = 0; x < length; x++) out[line * stride + x * step] = from[x]!;
  }
  return out;
}
