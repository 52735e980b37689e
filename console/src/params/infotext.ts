/** Reads what WebUI writes into its pictures: prompts, then `Name: value` pairs; and names what it would change. */
import { BOUNDS } from "virtual:contract";
import type { Tab, Values } from "./store";
import { SCHEMAS } from "./fields";

const PAIR = /\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)/g;
const LEAST_PAIRS = 3;

/** Name on the wire, by the name in an infotext. */
const FIELDS: Record<string, string> = {
  Steps: "steps",
  Sampler: "sampler_name",
  "Schedule type": "scheduler",
  "CFG scale": "cfg_scale",
  "Image CFG scale": "image_cfg_scale",
  Seed: "seed",
  "Variation seed": "subseed",
  "Variation seed strength": "subseed_strength",
  "Denoising strength": "denoising_strength",
  "Mask blur": "mask_blur",
  "Hires upscale": "hr_scale",
  "Hires upscaler": "hr_upscaler",
  "Hires steps": "hr_second_pass_steps",
  "Hires prompt": "hr_prompt",
  "Hires negative prompt": "hr_negative_prompt",
};
const FILLS = ["fill", "original", "latent noise", "latent nothing"];

export interface Infotext {
  values: Values;
  /** The checkpoint's name, as the picture says it. */
  model: string | null;
}

/** null: this is no infotext. */
export function readInfotext(text: string): Infotext | null {
  const lines = text.trim().split("\n");
  const last = lines.at(-1) ?? "";
  const pairs = [...last.matchAll(PAIR)].map(([, name, value]) => [name!, unquoted(value!.trim())] as const);
  if (pairs.length < LEAST_PAIRS) return null;
  const entries = Object.fromEntries(pairs);
  const above = lines.slice(0, -1).join("\n");
  const [prompt = "", negative = ""] = above.split(/(?:^|\n)Negative prompt:\s*/);
  const values: Values = { prompt: prompt.trim(), negative_prompt: negative.trim() };
  for (const [entry, name] of Object.entries(FIELDS)) {
    const value = entries[entry];
    if (value !== undefined) values[name] = isNumber(name) ? Number(value) : value;
  }
  const size = /^(\d+)x(\d+)$/.exec(entries.Size ?? "");
  if (size) Object.assign(values, { width: Number(size[1]), height: Number(size[2]) });
  if (values.hr_scale !== undefined || values.hr_upscaler !== undefined) values.enable_hr = true;
  const fill = FILLS.indexOf(entries["Masked content"] ?? "");
  if (fill >= 0) values.inpainting_fill = fill;
  const restorer = entries["Face restoration"];
  if (restorer !== undefined) {
    values.restore_faces = true;
    values.override_settings = { face_restoration_model: restorer };
  }
  const clipSkip = Number(entries["Clip skip"]);
  if (clipSkip >= 2) values.override_settings = { ...(values.override_settings as Values | undefined), CLIP_stop_at_last_layers: clipSkip };
  return { values, model: entries.Model ?? null };
}

function unquoted(value: string): string {
  if (!value.startsWith('"')) return value;
  try {
    return String(JSON.parse(value));
  } catch {
    return value;
  }
}

function isNumber(name: string): boolean {
  const type = BOUNDS.Txt2ImgParams?.[name]?.type ?? BOUNDS.Img2ImgParams?.[name]?.type;
  return type === "integer" || type === "number";
}

export interface Difference {
  name: string;
  now: unknown;
  then: unknown;
}

/** What taking the infotext over would change in this tab. */
export function differences(tab: Tab, found: Values, values: Values): Difference[] {
  const fields = BOUNDS[SCHEMAS[tab]] ?? {};
  return Object.entries(found)
    .filter(([name]) => name in fields)
    .map(([name, then]) => ({ name, now: values[name] ?? fields[name]?.default ?? null, then }))
    .filter(({ now, then }) => JSON.stringify(now) !== JSON.stringify(then));
}
