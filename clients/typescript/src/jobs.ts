/** From a request to its pictures. */
import type { Api, Schemas } from "./api.ts";
import { ProblemError, unwrap } from "./problem.ts";

/** Statuses that never change. */
export const TERMINAL: ReadonlySet<Schemas["JobStatus"]> = new Set(["succeeded", "failed", "canceled", "expired"]);
const WAIT_SECONDS = 20;

/** A job that ended without a result. */
export class JobNotSucceededError extends Error {
  readonly job: Schemas["JobView"];

  constructor(job: Schemas["JobView"]) {
    const reason = job.error ? `${job.error.code}: ${job.error.message}` : "no reason was given";
    super(`job ${job.job_id} ${job.status}: ${reason}`);
    this.name = "JobNotSucceededError";
    this.job = job;
  }
}

interface ParamsByTask {
  txt2img: Schemas["Txt2ImgParams"];
  img2img: Schemas["Img2ImgParams"];
  interrogate_clip: Schemas["InterrogateClipParams"];
  interrogate_deepbooru: Schemas["InterrogateDeepbooruParams"];
  extra_single_image: Schemas["ExtraSingleImageParams"];
  extra_batch_images: Schemas["ExtraBatchImagesParams"];
}

/** A job to create: its task, WebUI's own fields in `params`, and what else the API takes; all others have defaults. */
export type NewJob = {
  [T in Schemas["Task"]]: Omit<Partial<Schemas["CreateJob"]>, "task" | "params"> & {
    task: T;
    params?: Partial<ParamsByTask[T]> | null;
  };
}[Schemas["Task"]];

/** Send a job. Under one `idempotencyKey` it is created once, however often this is repeated within a day. */
export function submitJob(
  api: Api,
  job: NewJob,
  { idempotencyKey = crypto.randomUUID() as string }: { idempotencyKey?: string } = {},
): Promise<Schemas["JobView"]> {
  return unwrap(
    // The types have every field that has a default; a request may leave them out.
    api.POST("/v1/jobs", { body: job as never, headers: { "Idempotency-Key": idempotencyKey } }),
  );
}

/** The job now and at every change, until it has ended. */
export async function* watchJob(
  api: Api,
  jobId: string,
  { signal }: { signal?: AbortSignal } = {},
): AsyncGenerator<Schemas["JobView"]> {
  const look = (known: string | null) =>
    api.GET("/v1/jobs/{job_id}", {
      params: { path: { job_id: jobId }, query: { wait: known === null ? 0 : WAIT_SECONDS } },
      headers: known === null ? {} : { "If-None-Match": known },
      ...(signal ? { signal } : {}),
    });
  let tag: string | null = null;
  for (;;) {
    const asked = performance.now();
    const answer: Awaited<ReturnType<typeof look>> = await look(tag);
    if (answer.response.status !== 304) {
      const job = await unwrap(Promise.resolve(answer));
      yield job;
      if (TERMINAL.has(job.status)) return;
      tag = answer.response.headers.get("ETag");
    }
    // Too many requests wait at once, or a proxy answers at once: do not ask again immediately.
    if (performance.now() - asked < 500) await new Promise((go) => setTimeout(go, 1000));
  }
}

/**
 * The job once it has succeeded; `onChange` sees every state before.
 *
 * Throws JobNotSucceededError if it ends otherwise, ProblemError if it cannot be asked for.
 */
export async function finishJob(
  api: Api,
  jobId: string,
  { onChange, signal }: { onChange?: (job: Schemas["JobView"]) => void; signal?: AbortSignal } = {},
): Promise<Schemas["JobView"]> {
  for await (const job of watchJob(api, jobId, signal ? { signal } : {})) {
    onChange?.(job);
    if (!TERMINAL.has(job.status)) continue;
    if (job.status !== "succeeded") throw new JobNotSucceededError(job);
    return job;
  }
  throw new ProblemError({ detail: `job ${jobId} was not followed to its end` }, "unknown");
}
