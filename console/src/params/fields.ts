/** Which of the contract's fields a tab shows, and what it sends. */
import { BOUNDS, type Bounds } from "virtual:contract";
import type { Schemas } from "../api/client";
import { withoutSoftInpainting } from "./softInpainting";
import type { Size, Tab, Values } from "./store";

export const SCHEMAS: Record<Tab, string> = {
  txt2img: "Txt2ImgParams",
  img2img: "Img2ImgParams",
  sketch: "Img2ImgParams",
  inpaint: "Img2ImgParams",
  "inpaint-sketch": "Img2ImgParams",
  "inpaint-upload": "Img2ImgParams",
  extras: "ExtraSingleImageParams",
  interrogate: "InterrogateClipParams",
};

export const isInpaint = (tab: Tab): boolean => tab.startsWith("inpaint");
export const isDrawing = (tab: Tab): boolean => tab !== "extras" && tab !== "interrogate";

export function taskOf(tab: Tab, tagger: "clip" | "deepbooru"): Schemas["Task"] {
  if (tab === "txt2img") return "txt2img";
  if (tab === "extras") return "extra_single_image";
  if (tab === "interrogate") return tagger === "clip" ? "interrogate_clip" : "interrogate_deepbooru";
  return "img2img";
}

export function boundsOf(tab: Tab, name: string): Bounds {
  return BOUNDS[SCHEMAS[tab]]?.[name] ?? {};
}

/** What a field has that is absent: for width and height what the checkpoint learned, else the contract's default. */
export function defaultOf(tab: Tab, name: string, native: Size | null): unknown {
  if (native !== null && isDrawing(tab) && (name === "width" || name === "height")) return native[name];
  return boundsOf(tab, name).default;
}

const SHARED = [
  "prompt", "negative_prompt", "sampler_name", "scheduler", "steps", "width", "height", "n_iter", "batch_size",
  "cfg_scale", "seed", "subseed", "subseed_strength", "tiling", "override_settings",
  "refiner_checkpoint", "refiner_switch_at", "restore_faces",
];
const HIRES = [
  "enable_hr", "hr_upscaler", "hr_scale", "hr_second_pass_steps", "hr_resize_x", "hr_resize_y", "hr_sampler_name",
  "hr_scheduler", "hr_prompt", "hr_negative_prompt",
];
const IMG2IMG = ["denoising_strength", "resize_mode", "image_cfg_scale"];
const INPAINT = ["mask_blur", "inpainting_mask_invert", "inpainting_fill", "inpaint_full_res", "inpaint_full_res_padding"];
const EXTRAS = [
  "resize_mode", "upscaling_resize", "upscaling_resize_w", "upscaling_resize_h", "upscaling_crop", "upscaler_1",
  "upscaler_2", "extras_upscaler_2_visibility", "gfpgan_visibility", "codeformer_visibility", "codeformer_weight",
];
/** Pictures come from the canvas; others say how an answer of WebUI's own API looks, and there is none. */
const ELSEWHERE = new Set([
  "init_images", "mask", "image", "latent_mask", "model", "infotext", "force_task_id", "send_images", "save_images",
  "include_init_images", "override_settings_restore_afterwards", "do_not_save_samples", "do_not_save_grid",
  "sampler_index", "show_extras_results", "mask_blur_x", "mask_blur_y", "comments", "firstpass_image",
]);

/** The fields that the tab has a place for. */
export function placedFields(tab: Tab): string[] {
  if (tab === "extras") return EXTRAS;
  if (tab === "interrogate") return [];
  if (tab === "txt2img") return [...SHARED, ...HIRES, "denoising_strength"];
  return [...SHARED, ...IMG2IMG, ...(isInpaint(tab) ? INPAINT : [])];
}

/** Every other field of the contract, for the section that shows them by their names. */
export function otherFields(tab: Tab): string[] {
  const placed = new Set(placedFields(tab));
  return Object.keys(BOUNDS[SCHEMAS[tab]] ?? {}).filter((name) => !placed.has(name) && !ELSEWHERE.has(name));
}

/** The params without pictures: what differs from the contract's defaults, and what a reader expects to see. */
export function paramsOf(tab: Tab, values: Values, native: Size | null = null): Values {
  const names = [...placedFields(tab), ...otherFields(tab)];
  const params: Values = {};
  for (const name of names) {
    const value = values[name] ?? defaultOf(tab, name, native);
    if (value !== undefined && value !== null && value !== "") params[name] = value;
  }
  if (tab === "txt2img" && !params.enable_hr) for (const name of [...HIRES, "denoising_strength"]) delete params[name];
  if (!isInpaint(tab) && tab !== "txt2img") for (const name of INPAINT) delete params[name];
  // It needs a mask; txt2img does not know it.
  if (!isInpaint(tab) && params.alwayson_scripts) params.alwayson_scripts = withoutSoftInpainting(params.alwayson_scripts);
  return params;
}

/** What is taken over from another job's parameters; pictures are not among them. */
export function takenOver(parameters: Values): Values {
  const known = new Set(Object.values(BOUNDS).flatMap((fields) => Object.keys(fields)));
  return Object.fromEntries(
    Object.entries(parameters).filter(([name, value]) => known.has(name) && !ELSEWHERE.has(name) && value !== null),
  );
}
