/** Makes a map away from the page, which a large picture would stop for seconds. */
import { MAPS, type Settings } from "./maps";
import { CHANNELS } from "./picture";

export interface Order extends Settings {
  /** To know the answer by. */
  id: number;
  picture: Blob;
  module: string;
}

export interface Answer {
  id: number;
  /** null: the picture could not be read. */
  map: ImageBitmap | null;
}

const answer = (message: Answer) => self.postMessage(message, { transfer: message.map === null ? [] : [message.map] });

self.onmessage = ({ data: order }: MessageEvent<Order>) => {
  drawn(order).then(
    (map) => answer({ id: order.id, map }),
    () => answer({ id: order.id, map: null }),
  );
};

async function drawn({ picture, module, ...settings }: Order): Promise<ImageBitmap> {
  const bitmap = await createImageBitmap(picture, { colorSpaceConversion: "none" });
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height).getContext("2d")!;
  canvas.drawImage(bitmap, 0, 0);
  const rgba = canvas.getImageData(0, 0, width, height).data;
  const data = new Uint8ClampedArray(width * height * CHANNELS);
  for (let pixel = 0; pixel < width * height; pixel++) data.set(rgba.subarray(pixel * 4, pixel * 4 + CHANNELS), pixel * CHANNELS);
  const map = MAPS[module]!({ width, height, data }, settings);
  const out = new ImageData(map.width, map.height);
  out.data.fill(255);
  for (let pixel = 0; pixel < map.width * map.height; pixel++)
    out.data.set(map.data.subarray(pixel * CHANNELS, (pixel + 1) * CHANNELS), pixel * 4);
  return createImageBitmap(out);
}
