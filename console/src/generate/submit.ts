/** From the form to `POST /v1/jobs`. Pictures that would make the body too large go to storage first. */
import { EMPTY } from "../canvas/strokes";
import { type Schemas, api } from "../api/client";
import { ProblemError, unwrap } from "../api/problem";
import { boundsOf, isDrawing, paramsOf, taskOf } from "../params/fields";
import { usePromptHistory } from "../params/promptHistory";
import { type Size, type Tab, type Values, useForm } from "../params/store";
import { useStyleShelf } from "../params/styleShelf";
import { applyStyles } from "../params/styles";
import { missingOf, withUnits } from "../params/units";

const INLINE_BYTES = 2_000_000;

/** What is missing before a request can be made, as a key of the locale files. */
export type Missing = "checkpoint" | "picture" | "mask" | "strokes" | "unitModel" | "unitPicture";

export class MissingError extends Error {
  constructor(readonly missing: Missing) {
    super(missing);
  }
}

export async function submit(tab: Tab, change: Values = {}): Promise<Schemas["JobView"]> {
  const form = useForm.getState();
  if (isDrawing(tab) && form.checkpoint === null) throw new MissingError("checkpoint");
  const params = { ...(await styled(tab, paramsOf(tab, form.values, form.native), form.styles)), ...change };
  if (isDrawing(tab)) usePromptHistory.getState().add(String(form.values.prompt ?? ""));
  const pictures = await picturesOf(tab);
  const units = isDrawing(tab) ? form.units.filter(({ enabled }) => enabled) : [];
  const missing = missingOf(units, tab === "txt2img");
  if (missing) throw new MissingError(missing);
  const all = [...Object.values(pictures), ...units.map(({ picture }) => picture)];
  const size = all.reduce((sum, picture) => sum + (picture?.size ?? 0), 0);
  const sent = size <= INLINE_BYTES ? base64 : stored;
  for (const [name, picture] of Object.entries(pictures)) {
    const value = await sent(picture);
    params[name] = name === "init_images" ? [value] : value;
  }
  if (units.length > 0) params.alwayson_scripts = await withUnits(params.alwayson_scripts, units, sent);
  const body = bodyOf(tab, form, params);
  return unwrap(
    api.POST("/v1/jobs", { body, params: { header: { "Idempotency-Key": crypto.randomUUID() } } } as never),
  ) as Promise<Schemas["JobView"]>;
}

/** With the chosen styles merged into both prompts, as WebUI's page does. */
async function styled(tab: Tab, params: Values, names: string[]): Promise<Values> {
  if (!isDrawing(tab) || names.length === 0) return params;
  const styles = await useStyleShelf.getState().load();
  const [prompt, negative] = applyStyles(String(params.prompt ?? ""), String(params.negative_prompt ?? ""), names, styles);
  return { ...params, prompt, negative_prompt: negative };
}

type Chosen = Pick<ReturnType<typeof useForm.getState>, "vae" | "tagger" | "checkpoint" | "endpoint">;

function bodyOf(tab: Tab, form: Chosen, params: Values): Schemas["CreateJob"] {
  const options = { ...(params.override_settings as Values | undefined), sd_vae: form.vae };
  return {
    task: taskOf(tab, form.tagger),
    preview: isDrawing(tab),
    params: isDrawing(tab) && form.vae !== null ? { ...params, override_settings: options } : params,
    ...(isDrawing(tab) ? { checkpoint: form.checkpoint } : {}),
    ...(form.endpoint === null ? {} : { endpoint: form.endpoint }),
  } as unknown as Schemas["CreateJob"];
}

/** What the job would take; it creates nothing. The picture does not matter for that, so a tiny one stands for it. */
export async function estimate(tab: Tab, form: Chosen & { values: Values; native: Size | null }, signal: AbortSignal) {
  const params = { ...paramsOf(tab, form.values, form.native), ...(tab === "txt2img" ? {} : { init_images: [TINY] }) };
  const body = { ...bodyOf(tab, form, params), dry_run: true, preview: false };
  return (await unwrap(api.POST("/v1/jobs", { body, signal } as never)) as Schemas["JobView"]).estimate ?? null;
}

/** A grey PNG of 8 by 8 pixels. */
const TINY = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAFUlEQVR42mNsaGhgwAaYGHCAwSkBADAXAZDUexXGAAAAAElFTkSuQmCC";

async function picturesOf(tab: Tab): Promise<Record<string, Blob>> {
  if (tab === "txt2img") return {};
  const { pictures, drawings, values } = useForm.getState();
  const picture = pictures[tab];
  if (!picture) throw new MissingError("picture");
  if (tab === "img2img") return { init_images: picture };
  if (tab === "extras" || tab === "interrogate") return { image: picture };
  const { inpaintSketchFiles, maskFile, sketchFile, uploadedMaskFile } = await import("../canvas/export");
  if (tab === "inpaint-upload") {
    if (!pictures.mask) throw new MissingError("mask");
    return { init_images: picture, mask: await uploadedMaskFile(pictures.mask) };
  }
  const drawing = drawings[tab] ?? EMPTY;
  if (tab === "sketch") return { init_images: await sketchFile(picture, drawing) };
  if (drawing.steps.length === 0) throw new MissingError("strokes");
  if (tab === "inpaint") return { init_images: picture, mask: await maskFile(picture, drawing) };
  const blur = Number(values.mask_blur ?? boundsOf(tab, "mask_blur_x").default ?? 4);
  const { image, mask } = await inpaintSketchFiles(picture, drawing, blur);
  return { init_images: image, mask };
}

async function base64(blob: Blob): Promise<string> {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

async function stored(blob: Blob): Promise<string> {
  const input = await unwrap(api.POST("/v1/inputs", { body: { size: blob.size } }));
  const { url, headers } = input.upload;
  let response: Response;
  try {
    response = await fetch(url, { method: "PUT", headers, body: blob, credentials: "omit" });
  } catch (error) {
    throw new ProblemError({ detail: String(error) }, "network");
  }
  if (!response.ok) throw new ProblemError({ detail: response.statusText, status: response.status }, "unknown");
  return input.input_id;
}
