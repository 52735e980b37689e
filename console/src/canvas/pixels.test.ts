import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { binaryMask, deriveInpaintSketch } from "./pixels";

interface Vector {
  name: string;
  width: number;
  height: number;
  mask_blur: number;
  mask_transparency: number;
  painted: string;
  original: string;
  image: string;
  mask: string;
}
const file = new URL("../../../tests/console/vectors/inpaint_sketch.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8")) as Vector[];
const bytes = (text: string) => new Uint8Array(Buffer.from(text, "base64"));

describe("inpaint sketch is what Python makes of the same strokes", () => {
  test.each(vectors)("$name", (vector) => {
    const { image, mask } = deriveInpaintSketch(
      bytes(vector.painted),
      bytes(vector.original),
      vector.width,
      vector.height,
      vector.mask_blur,
      vector.mask_transparency,
    );
    expect(Buffer.from(mask).toString("base64")).toBe(vector.mask);
    expect(Buffer.from(image).toString("base64")).toBe(vector.image);
  });
});

describe("a mask is black and white", () => {
  test("by its alpha, where it has any: more than half is drawn anew", () => {
    const rgba = Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0, 129, 255, 255, 255, 255]);
    expect([...binaryMask(rgba)]).toEqual([0, 0, 255, 255]);
  });
  test("by its brightness, where it is opaque", () => {
    const rgba = Uint8Array.from([0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 255]);
    expect([...binaryMask(rgba)]).toEqual([0, 255, 76]);
  });
});
