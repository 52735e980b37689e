/** ControlNet units of the form, and how they become the script's arguments. */
import fields from "./controlnet_unit.json";

/** A Python test holds them to the contract. */
export const UNIT_FIELDS = fields;
export const UNIT_NUMBERS = ["weight", "guidance_start", "guidance_end"] as const;
export const THRESHOLDS = ["threshold_a", "threshold_b", "processor_res"] as const;
const CONTROLNET = "ControlNet";

export interface Unit {
  /** For React; it is not sent. */
  id: string;
  enabled: boolean;
  module: string;
  model: string | null;
  /** Of the preprocessor; null: its default. */
  threshold_a?: number | null;
  threshold_b?: number | null;
  processor_res?: number | null;
  weight: number;
  guidance_start: number;
  guidance_end: number;
  control_mode: string;
  resize_mode: string;
  /** null: img2img takes its own picture. */
  picture: Blob | null;
}

export function newUnit(id: string): Unit {
  return {
    id,
    enabled: true,
    module: "none",
    model: null,
    weight: UNIT_FIELDS.weight.default,
    guidance_start: UNIT_FIELDS.guidance_start.default,
    guidance_end: UNIT_FIELDS.guidance_end.default,
    control_mode: UNIT_FIELDS.control_mode.default,
    resize_mode: UNIT_FIELDS.resize_mode.default,
    picture: null,
  };
}

/** What an enabled unit lacks before it can be sent. */
export function missingOf(units: readonly Unit[], needsPicture: boolean): "unitModel" | "unitPicture" | null {
  const used = units.filter(({ enabled }) => enabled);
  if (used.some(({ model }) => model === null)) return "unitModel";
  return needsPicture && used.some(({ picture }) => picture === null) ? "unitPicture" : null;
}

/** `scripts` with the enabled units behind those that are there already; `image` makes a value of a picture. */
export async function withUnits(
  scripts: unknown,
  units: readonly Unit[],
  image: (picture: Blob) => Promise<string>,
): Promise<Record<string, unknown>> {
  const all = { ...((scripts ?? {}) as Record<string, unknown>) };
  const used = units.filter(({ enabled }) => enabled);
  if (used.length === 0) return all;
  const title = Object.keys(all).find((name) => name.toLowerCase() === CONTROLNET.toLowerCase()) ?? CONTROLNET;
  const before = (all[title] as { args?: unknown } | undefined)?.args;
  const args: unknown[] = Array.isArray(before) ? [...before] : [];
  for (const { id: _, picture, ...unit } of used)
    args.push({
      ...withoutNull(unit),
      ...(picture === null ? {} : { image: await image(picture) }),
    });
  return { ...all, [title]: { args } };
}

function withoutNull(unit: object): object {
  const kept = Object.entries(unit).filter(([name, value]) => value !== null || !(THRESHOLDS as readonly string[]).includes(name));
  return Object.fromEntries(kept);
}

interface Range {
  default: number;
  minimum: number;
  maximum: number;
}

/** The contract's range of a threshold that a preprocessor does not have is 0 to 1 around 0.5. */
export const isUsed = (range: Range): boolean => range.maximum > 1 || range.default !== 0.5;
