import { expect, test, vi } from "vitest";

const faces = { gfpgan_visibility: { type: "number" }, restore_faces: { type: "boolean" }, upscale_first: { type: "boolean" } };
vi.mock("virtual:contract", () => ({
  BOUNDS: { Txt2ImgParams: faces, Img2ImgParams: faces, ExtraSingleImageParams: faces },
}));
const { otherFields } = await import("./fields");

test.each(["txt2img", "inpaint", "extras"] as const)("%s shows what restores faces among the fields by name", (tab) => {
  expect(otherFields(tab)).toEqual(Object.keys(faces));
});
