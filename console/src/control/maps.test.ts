import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { MAPS } from "./maps";

interface Vector {
  module: string;
  resolution: number;
  a: number;
  b: number;
  width: number;
  height: number;
  map: string;
}
const file = new URL("../../../tests/console/vectors/control_maps.json", import.meta.url);
const { picture, vectors } = JSON.parse(readFileSync(file, "utf8")) as {
  picture: { width: number; height: number; data: string };
  vectors: Vector[];
};
const bytes = (text: string) => new Uint8ClampedArray(Buffer.from(text, "base64"));

test("every preprocessor of the contract is there", () => {
  expect(Object.keys(MAPS).toSorted()).toEqual([...new Set(vectors.map(({ module }) => module))].toSorted());
});

describe("a map is what the container makes of the same picture", () => {
  test.each(vectors)("$module at $resolution, $a, $b", ({ module, map, ...settings }) => {
    const found = MAPS[module]!({ ...picture, data: bytes(picture.data) }, settings);
    const wanted = bytes(map);
    expect([found.width, found.height]).toEqual([settings.width, settings.height]);
    const off = [...wanted.keys()].filter((at) => Math.abs(wanted[at]! - found.data[at]!) > 1).length;
    // OpenCV resizes and blurs in whole numbers: a value may be one more or less, and a threshold in between.
    expect(off / wanted.length).toBeLessThanOrEqual(0.005);
  });
});
