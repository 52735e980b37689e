/** File names by a pattern as in WebUI's settings: words in brackets are replaced, everything else stays. */
import type { Schemas } from "../api/client";

type Image = Pick<Schemas["ImageView"], "seed" | "width" | "height" | "format">;
interface Job {
  job_id: string;
  created_at: string;
  task: string;
  checkpoint?: string | null;
}
type Parameters = Record<string, unknown>;

export const DEFAULT_PATTERN = "[datetime]-[job_id]-[batch_number]-[seed]";
/** WebUI's own limit for the words of a prompt. */
const PROMPT_WORDS = 8;
const LONGEST = 120;

const text = (value: unknown): string => (value === null || value === undefined ? "" : String(value));
const stem = (name: string): string => name.replace(/\.[^.]*$/, "");

/** WebUI's words (`modules/images.py`) that a job of ours has a value for. */
const WORDS: Record<string, (job: Job, image: Image, index: number, parameters: Parameters) => unknown> = {
  seed: (_, image) => image.seed,
  width: (_, image) => image.width,
  height: (_, image) => image.height,
  date: (job) => job.created_at.slice(0, 10),
  datetime: (job) => job.created_at.replace(/[-:]/g, "").replace("T", "-").slice(0, 15),
  job_id: (job) => job.job_id.slice(-6),
  task: (job) => job.task,
  model_name: (job) => (job.checkpoint ? stem(job.checkpoint) : ""),
  batch_number: (_, __, index) => String(index + 1).padStart(2, "0"),
  steps: (_, __, ___, parameters) => parameters.steps,
  cfg: (_, __, ___, parameters) => parameters.cfg_scale,
  sampler: (_, __, ___, parameters) => parameters.sampler_name,
  scheduler: (_, __, ___, parameters) => parameters.scheduler,
  denoising: (_, __, ___, parameters) => parameters.denoising_strength,
  prompt: (_, __, ___, parameters) => parameters.prompt,
  prompt_words: (_, __, ___, parameters) =>
    (text(parameters.prompt).match(/[\p{L}\p{N}]+/gu) ?? []).slice(0, PROMPT_WORDS).join(" "),
};
export const PATTERN_WORDS = Object.keys(WORDS);

/** The name with its extension. Characters that a disk may refuse are `_`; words without a value leave no double dash. */
export function fileName(pattern: string, job: Job, image: Image, index: number, parameters: Parameters = {}): string {
  const filled = (pattern.trim() || DEFAULT_PATTERN).replace(/\[(\w+)\]/g, (whole, word: string) => {
    const value = WORDS[word];
    return value ? text(value(job, image, index, parameters)).slice(0, LONGEST) : whole;
  });
  const safe = filled
    // eslint-disable-next-line no-control-regex -- they are what is replaced
    .replace(/[\u0000-\u001f\u007f<>:"/\\|?*]/g, "_")
    .replace(/([-_ ])\1+/g, "$1")
    .replace(/^[-_. ]+|[-_. ]+$/g, "");
  return `${safe.slice(0, 200) || job.job_id}.${image.format.toLowerCase()}`;
}

/** Each name once: pictures of the same name get ` (2)`, ` (3)`. */
export function distinct(names: string[]): string[] {
  const seen = new Map<string, number>();
  return names.map((name) => {
    const count = (seen.get(name.toLowerCase()) ?? 0) + 1;
    seen.set(name.toLowerCase(), count);
    return count === 1 ? name : name.replace(/(\.[^.]*)?$/, ` (${count})$1`);
  });
}
