/** The history as one list: its newest page, asked for again and again, over the older pages, read once. */
interface Seen {
  job_id: string;
  created_at: string;
  status: string;
}
interface Page<Job> {
  jobs: Job[];
  next_cursor: string | null;
}

const OPEN: ReadonlySet<string> = new Set(["created", "queued", "running"]);
export const isOpen = (job: { status: string }): boolean => OPEN.has(job.status);

/**
 * Every job once, newest first. What the newest page no longer has within its reach was deleted, or left the filter.
 * `gap`: so much is new that jobs are missing between the newest page and the others, which must be read again.
 */
export function merged<Job extends Seen>(head: Page<Job> | undefined, pages: Page<Job>[]): { jobs: Job[]; gap: boolean } {
  const older = pages.flatMap((page) => page.jobs);
  if (head === undefined) return { jobs: unique(older), gap: false };
  if (head.next_cursor === null) return { jobs: unique(head.jobs), gap: false };
  const reach = head.jobs.at(-1)?.created_at;
  if (reach === undefined) return { jobs: unique(older), gap: false };
  const known = new Set(head.jobs.map(({ job_id }) => job_id));
  const rest = older.filter((job) => !known.has(job.job_id) && job.created_at <= reach);
  const gap = older.length > 0 && !older.some(({ job_id }) => known.has(job_id));
  return { jobs: unique([...head.jobs, ...rest]), gap };
}

/** Whether a job of the older pages is open: they must be looked at again. */
export function openBelow<Job extends Seen>(head: Page<Job> | undefined, jobs: Job[]): boolean {
  const known = new Set(head?.jobs.map(({ job_id }) => job_id));
  return jobs.some((job) => isOpen(job) && !known.has(job.job_id));
}

function unique<Job extends Seen>(jobs: Job[]): Job[] {
  return [...new Map(jobs.map((job) => [job.job_id, job])).values()];
}
