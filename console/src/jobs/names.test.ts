import { expect, test } from "vitest";
import { DEFAULT_PATTERN, distinct, fileName } from "./names";

const job = { job_id: "01890a5d0000abcdef", created_at: "2026-11-30T14:05:09.123Z", task: "txt2img", checkpoint: "dream.v2.safetensors" };
const image = { seed: 7, width: 512, height: 768, format: "PNG" };
const parameters = { prompt: "a cat, <lora:ink:1> on / a mat? (best:1.2)", steps: 20, cfg_scale: 7.5, sampler_name: "DPM++ 2M" };

test.each([
  [DEFAULT_PATTERN, "20261130-140509-abcdef-01-7.png"],
  ["", "20261130-140509-abcdef-01-7.png"],
  ["[seed]", "7.png"],
  ["[model_name] [width]x[height]", "dream.v2 512x768.png"],
  ["[date]/[prompt_words]", "2026-11-30_a cat lora ink 1 on a mat.png"],
  ["[sampler] [steps] [cfg]", "DPM++ 2M 20 7.5.png"],
  ["[prompt]", "a cat, _lora_ink_1_ on _ a mat_ (best_1.2).png"],
  ["[denoising]-[seed]", "7.png"],
  ["[what] [task]", "[what] txt2img.png"],
  ["../../etc", "etc.png"],
  ["  ..  ", "01890a5d0000abcdef.png"],
])("%s is %s", (pattern, name) => {
  expect(fileName(pattern, job, image, 0, parameters)).toBe(name);
});

test("a name is not longer than a disk takes", () => {
  const long = fileName("[prompt][prompt][prompt]", job, image, 0, { prompt: "x".repeat(1000) });
  expect(long.length).toBeLessThanOrEqual(204);
});

test("pictures of one name are told apart", () => {
  expect(distinct(["a.png", "b.png", "A.png", "a.png"])).toEqual(["a.png", "b.png", "A (2).png", "a (3).png"]);
});
