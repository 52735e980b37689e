import { expect, test, vi } from "vitest";

const faces = { gfpgan_visibility: { type: "number" }, restore_faces: { type: "boolean" }, upscale_first: { type: "boolean" } };
const sizes = { width: { default: 512 }, height: { default: 512 } };
vi.mock("virtual:contract", () => ({
  BOUNDS: { Txt2ImgParams: { ...sizes, ...faces }, Img2ImgParams: { ...sizes, ...faces }, ExtraSingleImageParams: faces },
}));
const { defaultOf, otherFields, paramsOf } = await import("./fields");

test.each([
  ["txt2img", ["gfpgan_visibility", "upscale_first"]],
  ["extras", ["restore_faces", "upscale_first"]],
] as const)("%s shows by their names the fields that it has no place for", (tab, names) => {
  expect(otherFields(tab)).toEqual(names);
});

const native = { width: 832, height: 1216 };

test.each([
  ["nothing", {}, native, { width: 832, height: 1216 }],
  ["nothing, with a checkpoint that does not say it", {}, null, { width: 512, height: 512 }],
  ["a width", { width: 640 }, native, { width: 640, height: 1216 }],
  ["a cleared width", { width: null }, native, { width: 832, height: 1216 }],
])("a form with %s has the size that the checkpoint learned", (_, values, size, sent) => {
  expect(paramsOf("txt2img", values, size)).toEqual(sent);
  expect(paramsOf("inpaint", values, size)).toEqual(sent);
});

test("other tabs and fields have the contract's defaults", () => {
  expect(defaultOf("extras", "width", native)).toBeUndefined();
  expect(defaultOf("txt2img", "restore_faces", native)).toBeUndefined();
});
