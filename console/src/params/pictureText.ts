/** The infotext in a picture's file, where WebUI writes it: a PNG's text `parameters`, else Exif's UserComment. */

const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const EXIF_POINTER = 0x8769;
const USER_COMMENT = 0x9286;
/** Texts are short; a file that says otherwise is not read. */
const MOST_BYTES = 4_000_000;

/** null: the file has none, or is no PNG, JPEG or WebP. */
export async function pictureText(file: Blob): Promise<string | null> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  try {
    if (PNG.every((byte, index) => bytes[index] === byte)) return await pngText(bytes);
    if (bytes[0] === 0xff && bytes[1] === 0xd8) return exifText(jpegExif(bytes));
    if (latin(bytes, 0, 4) === "RIFF" && latin(bytes, 8, 12) === "WEBP") return exifText(webpExif(bytes));
  } catch (error) {
    // Lengths or offsets that point outside the file, or a damaged compressed text.
    if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
  }
  return null;
}

async function pngText(bytes: Uint8Array): Promise<string | null> {
  const view = viewOf(bytes);
  for (let at = PNG.length; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const type = latin(bytes, at + 4, at + 8);
    const body = bytes.subarray(at + 8, at + 8 + length);
    at += 12 + length;
    const end = body.indexOf(0);
    if (end < 0 || latin(body, 0, end) !== "parameters") continue;
    if (type === "tEXt") return latin(body, end + 1);
    if (type === "zTXt") return latin(await inflated(body.subarray(end + 2)));
    if (type === "iTXt") return internationalText(body, end);
  }
  return null;
}

/** After the keyword: a flag, a method, then a language and a translated keyword, each ended by a zero. */
async function internationalText(body: Uint8Array, end: number): Promise<string> {
  const language = body.indexOf(0, end + 3);
  const translated = body.indexOf(0, language + 1);
  const text = body.subarray(translated + 1);
  return new TextDecoder().decode(body[end + 1] === 1 ? await inflated(text) : text);
}

async function inflated(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([bytes.slice()]).stream().pipeThrough(new DecompressionStream("deflate"));
  const reader = stream.getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    size += part.value.length;
    if (size > MOST_BYTES) {
      await reader.cancel();
      throw new RangeError("text too long");
    }
  }
  return new Uint8Array(await new Blob(parts.map((part) => part.slice())).arrayBuffer());
}

function jpegExif(bytes: Uint8Array): Uint8Array | null {
  const view = viewOf(bytes);
  for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1]!;
    if (marker === 0xda) return null;
    const length = view.getUint16(at + 2);
    if (marker === 0xe1 && latin(bytes, at + 4, at + 10) === "Exif\0\0") return bytes.subarray(at + 10, at + 2 + length);
    at += 2 + length;
  }
  return null;
}

function webpExif(bytes: Uint8Array): Uint8Array | null {
  const view = viewOf(bytes);
  for (let at = 12; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at + 4, true);
    const body = bytes.subarray(at + 8, at + 8 + length);
    // Some writers keep the prefix of JPEG.
    if (latin(bytes, at, at + 4) === "EXIF") return latin(body, 0, 6) === "Exif\0\0" ? body.subarray(6) : body;
    at += 8 + length + (length % 2);
  }
  return null;
}

/** The comment begins with 8 bytes that name its encoding. */
function exifText(exif: Uint8Array | null): string | null {
  if (exif === null) return null;
  const little = latin(exif, 0, 2) === "II";
  const comment = userComment(exif, little);
  if (comment === null) return null;
  const text = comment.subarray(8);
  if (latin(comment, 0, 7) !== "UNICODE") return new TextDecoder().decode(text).replace(/\0+$/, "");
  // WebUI writes big endian whatever the file's order is; elsewhere a first Latin letter shows the other order.
  const swapped = text[0] !== 0 && text[1] === 0;
  return new TextDecoder(swapped ? "utf-16le" : "utf-16be").decode(text).replace(/\0+$/, "");
}

function userComment(exif: Uint8Array, little: boolean): Uint8Array | null {
  const view = viewOf(exif);
  const pointer = entry(view, view.getUint32(4, little), EXIF_POINTER, little);
  if (pointer === null) return null;
  const at = entry(view, view.getUint32(pointer + 8, little), USER_COMMENT, little);
  if (at === null) return null;
  const count = view.getUint32(at + 4, little);
  const from = count <= 4 ? at + 8 : view.getUint32(at + 8, little);
  return exif.subarray(from, from + count);
}

/** Where the entry of a tag begins in the directory at `start`. */
function entry(view: DataView, start: number, tag: number, little: boolean): number | null {
  const count = view.getUint16(start, little);
  for (let index = 0; index < count; index++) {
    const at = start + 2 + 12 * index;
    if (view.getUint16(at, little) === tag) return at;
  }
  return null;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
/** Latin-1 as PNG means it: a byte is a character. `TextDecoder` would read windows-1252. */
function latin(bytes: Uint8Array, from = 0, to = bytes.length): string {
  let text = "";
  for (let at = from; at < Math.min(to, bytes.length); at++) text += String.fromCharCode(bytes[at]!);
  return text;
}
