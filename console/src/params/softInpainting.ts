/** WebUI's script Soft Inpainting in `alwayson_scripts`: whether it is on, then six numbers. */
import sliders from "./soft_inpainting.json";

export const SOFT_INPAINTING = "Soft Inpainting";
/** In the order of the arguments; a Python test holds them to the contract. */
export const SLIDERS = sliders;

type Scripts = Record<string, unknown>;

export interface SoftInpainting {
  on: boolean;
  numbers: number[];
}

const isSoft = (title: string): boolean => title.toLowerCase() === SOFT_INPAINTING.toLowerCase();

/** Missing and unusable arguments have their defaults. */
export function readSoftInpainting(scripts: unknown): SoftInpainting {
  const [, script] = Object.entries((scripts ?? {}) as Scripts).find(([title]) => isSoft(title)) ?? [];
  const found = (script as { args?: unknown } | undefined)?.args;
  const [on, ...numbers] = Array.isArray(found) ? found : [];
  return {
    on: on === true,
    numbers: SLIDERS.map((slider, index) => (typeof numbers[index] === "number" ? numbers[index] : slider.default)),
  };
}

/** `scripts` with these settings; the other scripts stay as they are. */
export function withSoftInpainting(scripts: unknown, { on, numbers }: SoftInpainting): Scripts {
  return { ...withoutSoftInpainting(scripts), [SOFT_INPAINTING]: { args: [on, ...numbers] } };
}

export function withoutSoftInpainting(scripts: unknown): Scripts {
  return Object.fromEntries(Object.entries((scripts ?? {}) as Scripts).filter(([title]) => !isSoft(title)));
}
