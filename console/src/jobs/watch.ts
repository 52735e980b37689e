/** What the tab's title says about open jobs, and which jobs have ended since the last look. */
interface Seen {
  job_id: string;
  status: string;
  progress?: { fraction: number } | null;
}

const WAITING: ReadonlySet<string> = new Set(["created", "queued"]);
/** A canceled job is not among them: its owner has just canceled it. */
const ENDED: ReadonlySet<string> = new Set(["succeeded", "failed", "expired"]);

/** `42 % (3) · name`: the oldest running job's progress, and how many jobs are open if more than one. */
export function titleOf(jobs: readonly Seen[], name: string): string {
  const running = jobs.filter(({ status }) => status === "running");
  const open = running.length + jobs.filter(({ status }) => WAITING.has(status)).length;
  const oldest = running.at(-1);
  const share = oldest ? `${Math.floor(100 * (oldest.progress?.fraction ?? 0))} %` : "";
  const count = open > 1 || (open === 1 && !oldest) ? `(${open})` : "";
  const words = [share, count].filter(Boolean).join(" ");
  return words === "" ? name : `${words} · ${name}`;
}

/** Jobs that were open in `before` and have ended in `now`. */
export function endedSince<Job extends Seen>(before: readonly Seen[], now: readonly Job[]): Job[] {
  const open = new Set(before.filter(({ status }) => status === "running" || WAITING.has(status)).map(({ job_id }) => job_id));
  return now.filter(({ job_id, status }) => open.has(job_id) && ENDED.has(status));
}
