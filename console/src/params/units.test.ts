import { expect, test } from "vitest";
import { missingOf, newUnit, withUnits } from "./units";

const text = (picture: Blob) => picture.text();
const unit = (change: object = {}) => ({ ...newUnit("a"), model: "edges", ...change });
const SENT = { enabled: true, module: "none", model: "edges", weight: 1, guidance_start: 0, guidance_end: 1, control_mode: "Balanced", resize_mode: "Crop and Resize" };

test("a unit has the extension's names and defaults, and no picture that the reader did not choose", async () => {
  expect(await withUnits({}, [unit()], text)).toEqual({ ControlNet: { args: [SENT] } });
});

test("chosen modes and the picture are sent", async () => {
  const modes = { module: "canny", control_mode: "ControlNet is more important", resize_mode: "Just Resize" };
  const chosen = unit({ ...modes, picture: new Blob(["png"]) });
  expect(await withUnits({}, [chosen], text)).toEqual({
    ControlNet: {
      args: [{ ...SENT, ...modes, image: "png" }],
    },
  });
});

test("units come behind those of the script that is there, whatever its spelling, and other scripts stay", async () => {
  const scripts = { controlnet: { args: [{ model: "depth" }] }, "Soft Inpainting": { args: [true] } };
  expect(await withUnits(scripts, [unit()], text)).toEqual({
    controlnet: { args: [{ model: "depth" }, SENT] },
    "Soft Inpainting": { args: [true] },
  });
  expect(scripts.controlnet.args).toHaveLength(1);
});

test("a unit that is off is not sent and lacks nothing", async () => {
  const off = unit({ enabled: false, model: null });
  expect(await withUnits({}, [off], text)).toEqual({});
  expect(missingOf([off], true)).toBeNull();
});

test.each([
  ["no model", { model: null }, false, "unitModel"],
  ["no picture in txt2img", {}, true, "unitPicture"],
  ["no picture where there is another", {}, false, null],
  ["a picture", { picture: new Blob() }, true, null],
])("with %s", (_, change, needsPicture, missing) => {
  expect(missingOf([unit(change)], needsPicture)).toBe(missing);
});

test("a preprocessor's thresholds are sent where the reader has chosen them", async () => {
  const chosen = unit({ threshold_a: 50, threshold_b: null });
  expect(await withUnits({}, [chosen], text)).toEqual({ ControlNet: { args: [{ ...SENT, threshold_a: 50 }] } });
});
