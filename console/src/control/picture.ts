/** A picture as red, green and blue of each pixel, row by row. */
export interface Picture<Values extends Uint8ClampedArray | Float32Array = Uint8ClampedArray> {
  width: number;
  height: number;
  data: Values;
}

export type Bytes = Picture<Uint8ClampedArray>;
export type Floats = Picture<Float32Array>;

export const CHANNELS = 3;

/** Bytes of the same size with what `value` gives for each pixel in all three channels. */
export function grey({ width, height }: { width: number; height: number }, value: (pixel: number) => number): Bytes {
  const data = new Uint8ClampedArray(width * height * CHANNELS);
  for (let pixel = 0; pixel < width * height; pixel++) data.fill(value(pixel), pixel * CHANNELS, (pixel + 1) * CHANNELS);
  return { width, height, data };
}

/** Of each pixel's three values the least. */
export const least = (data: ArrayLike<number>, pixel: number): number =>
  Math.min(data[pixel * CHANNELS]!, data[pixel * CHANNELS + 1]!, data[pixel * CHANNELS + 2]!);

/** With its last row and column repeated until both sides are multiples of `step`. */
export function padded({ width, height, data }: Bytes, step: number): Bytes {
  const [across, down] = [Math.ceil(width / step) * step, Math.ceil(height / step) * step];
  const out = new Uint8ClampedArray(across * down * CHANNELS);
  for (let y = 0; y < down; y++)
    for (let x = 0; x < across; x++) {
      const from = (Math.min(y, height - 1) * width + Math.min(x, width - 1)) * CHANNELS;
      out.set(data.subarray(from, from + CHANNELS), (y * across + x) * CHANNELS);
    }
  return { width: across, height: down, data: out };
}

/** Its left upper part. */
export function cropped({ width: own, data }: Bytes, width: number, height: number): Bytes {
  const out = new Uint8ClampedArray(width * height * CHANNELS);
  for (let y = 0; y < height; y++)
    out.set(data.subarray(y * own * CHANNELS, (y * own + width) * CHANNELS), y * width * CHANNELS);
  return { width, height, data: out };
}
