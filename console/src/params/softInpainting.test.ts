import { expect, test, vi } from "vitest";
import { readSoftInpainting, withSoftInpainting } from "./softInpainting";

const field = { type: "object", default: {} };
vi.mock("virtual:contract", () => ({
  BOUNDS: { Txt2ImgParams: { alwayson_scripts: field }, Img2ImgParams: { alwayson_scripts: field } },
}));
const { paramsOf } = await import("./fields");

const DEFAULTS = [1, 0.5, 4, 0, 0.5, 2];

test.each([
  ["nothing", undefined, false, DEFAULTS],
  ["no arguments", { "Soft Inpainting": { args: [] } }, false, DEFAULTS],
  ["only that it is on", { "Soft Inpainting": { args: [true] } }, true, DEFAULTS],
  ["another case", { "soft inpainting": { args: [true, 2] } }, true, [2, 0.5, 4, 0, 0.5, 2]],
  ["all seven", { "Soft Inpainting": { args: [true, 2, 3, 5, 1, 0, 8] } }, true, [2, 3, 5, 1, 0, 8]],
  ["what is no number", { "Soft Inpainting": { args: [true, "2", null] } }, true, DEFAULTS],
  ["what is no list", { "Soft Inpainting": { args: 7 } }, false, DEFAULTS],
])("%s is read as WebUI does", (_, scripts, on, numbers) => {
  expect(readSoftInpainting(scripts)).toEqual({ on, numbers });
});

test("writing replaces another spelling and keeps other scripts", () => {
  const scripts = { ControlNet: { args: [] }, "SOFT INPAINTING": { args: [false] } };
  expect(withSoftInpainting(scripts, { on: true, numbers: DEFAULTS })).toEqual({
    ControlNet: { args: [] },
    "Soft Inpainting": { args: [true, ...DEFAULTS] },
  });
});

test("only the tabs with a mask send it", () => {
  const values = { alwayson_scripts: withSoftInpainting({ ControlNet: { args: [] } }, { on: true, numbers: DEFAULTS }) };
  const sent = (tab: Parameters<typeof paramsOf>[0]) => Object.keys(paramsOf(tab, values).alwayson_scripts as object);
  expect(sent("inpaint")).toContain("Soft Inpainting");
  expect(sent("inpaint-upload")).toContain("Soft Inpainting");
  expect(sent("img2img")).toEqual(["ControlNet"]);
  expect(sent("txt2img")).toEqual(["ControlNet"]);
});
