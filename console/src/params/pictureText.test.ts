import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { pictureText } from "./pictureText";

interface Vector {
  name: string;
  file: string;
  text: string | null;
}
const FILE = new URL("../../../tests/console/vectors/picture_texts.json", import.meta.url);
const VECTORS: Vector[] = JSON.parse(readFileSync(FILE, "utf8"));
const bytesOf = (name: string) => Uint8Array.from(Buffer.from(VECTORS.find((each) => each.name === name)!.file, "base64"));

test.each(VECTORS)("$name: the text is what Python finds", async ({ file, text }) => {
  expect(await pictureText(new Blob([Buffer.from(file, "base64")]))).toBe(text);
});

test("a comment in the other byte order is read", async () => {
  const bytes = bytesOf("JPEG");
  const at = Buffer.from(bytes).indexOf("UNICODE\0") + 8;
  const length = 2 * VECTORS.find(({ name }) => name === "JPEG")!.text!.length;
  bytes.set(Buffer.from(bytes.subarray(at, at + length)).swap16(), at);
  expect(await pictureText(new Blob([bytes]))).toBe(VECTORS.find(({ name }) => name === "JPEG")!.text);
});

test.each(VECTORS)("$name: cut anywhere, it has a text or none, but no error", async ({ file }) => {
  const bytes = Uint8Array.from(Buffer.from(file, "base64"));
  for (let length = 0; length < bytes.length; length += 7) {
    const text = await pictureText(new Blob([bytes.subarray(0, length)]));
    expect(text === null || typeof text === "string").toBe(true);
  }
});

test("a text that claims to be huge is not read", async () => {
  const packed = new Blob([new Uint8Array(8_000_000)]).stream().pipeThrough(new CompressionStream("deflate"));
  const body = Buffer.concat([Buffer.from("parameters\0\0"), Buffer.from(await new Response(packed).arrayBuffer())]);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(body.length);
  head.write("zTXt", 4);
  const file = Buffer.concat([bytesOf("PNG, plain").subarray(0, 8), head, body, Buffer.alloc(4)]);
  expect(await pictureText(new Blob([file]))).toBeNull();
});
