import { expect, test, vi } from "vitest";

vi.mock("virtual:contract", () => ({
  BOUNDS: {
    Txt2ImgParams: {
      prompt: { type: "string", default: "" },
      steps: { type: "integer", default: 50 },
      seed: { type: "integer", default: -1 },
      cfg_scale: { type: "number", default: 7 },
      width: { type: "integer", default: 512 },
    },
  },
}));
const { differences, readInfotext } = await import("./infotext");

const TEXT = `a cat, (blue:1.2), size: big
on a mat
Negative prompt: blurry
Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 5.5, Seed: 7, Size: 640x512, Model: shapes, Lora hashes: "a: 12, b: 34", Face restoration: GFPGAN, Clip skip: 2`;

test("prompts and parameters are told apart", () => {
  const { values, model } = readInfotext(TEXT)!;
  expect(values).toEqual({
    prompt: "a cat, (blue:1.2), size: big\non a mat",
    negative_prompt: "blurry",
    steps: 20,
    sampler_name: "DPM++ 2M",
    scheduler: "Karras",
    cfg_scale: 5.5,
    seed: 7,
    width: 640,
    height: 512,
    restore_faces: true,
    override_settings: { face_restoration_model: "GFPGAN", CLIP_stop_at_last_layers: 2 },
  });
  expect(model).toBe("shapes");
});

test("other text is no infotext", () => {
  expect(readInfotext("a cat on a mat")).toBeNull();
  expect(readInfotext("")).toBeNull();
});

test("only what would change is a difference, and only fields of the tab", () => {
  const { values } = readInfotext(TEXT)!;
  const found = differences("txt2img", values, { cfg_scale: 5.5, prompt: "a dog" });
  expect(found.map(({ name, now, then }) => [name, now, then])).toEqual([
    ["prompt", "a dog", values.prompt],
    ["steps", 50, 20],
    ["seed", -1, 7],
    ["width", 512, 640],
  ]);
});
