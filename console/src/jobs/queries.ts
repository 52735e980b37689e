/** What the pages ask about jobs, and how often. */
import {
  type InfiniteData,
  type QueryClient,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { type Schemas, api } from "../api/client";
import { ProblemError, unwrap } from "../api/problem";

export type Job = Schemas["JobView"];
export type JobSummary = Schemas["JobSummary"];
export type JobPage = Schemas["JobPage"];
export interface JobFilter {
  task: Schemas["Task"] | null;
  status: Schemas["JobStatus"] | null;
  /** A word of the prompt. */
  q: string;
  starred: boolean;
}

const OPEN: ReadonlySet<string> = new Set(["created", "queued", "running"]);
export const isOpen = (job: { status: string }): boolean => OPEN.has(job.status);

const PAGE = 50;
const BUSY_MS = 2000;
const QUIET_MS = 20_000;

/** The history, newest first, a page at a time; looked at often while jobs are open. */
export function useJobs(filter: JobFilter) {
  return useInfiniteQuery({
    queryKey: ["jobs", filter],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) =>
      unwrap(
        api.GET("/v1/jobs", {
          params: {
            query: {
              limit: PAGE,
              ...(pageParam === null ? {} : { cursor: pageParam }),
              ...(filter.task === null ? {} : { task: filter.task }),
              ...(filter.status === null ? {} : { status: filter.status }),
              ...(filter.q === "" ? {} : { q: filter.q }),
              ...(filter.starred ? { starred: true } : {}),
            },
          },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.next_cursor,
    refetchInterval: (query) => (everyJob(query.state.data).some(isOpen) ? BUSY_MS : QUIET_MS),
  });
}

export function everyJob(data: InfiniteData<JobPage> | undefined): JobSummary[] {
  const seen = new Map(data?.pages.flatMap((page) => page.jobs).map((job) => [job.job_id, job]));
  return [...seen.values()];
}

export function useJob(id: string | null) {
  return useQuery({
    queryKey: ["job", id],
    enabled: id !== null,
    queryFn: ({ signal }) => unwrap(api.GET("/v1/jobs/{job_id}", { params: { path: { job_id: id! } }, signal })),
    refetchInterval: ({ state }) => (state.data && isOpen(state.data) ? 1000 : false),
    // The presigned addresses of its pictures end after some minutes.
    staleTime: 60_000,
  });
}

export function useJobActions() {
  const queries = useQueryClient();
  const settled = () => refresh(queries);
  const path = (job_id: string) => ({ params: { path: { job_id } } });
  return {
    cancel: useMutation({ mutationFn: (id: string) => unwrap(api.POST("/v1/jobs/{job_id}/cancel", path(id))), onSettled: settled }),
    retry: useMutation({ mutationFn: (id: string) => unwrap(api.POST("/v1/jobs/{job_id}/retry", path(id))), onSettled: settled }),
    remove: useMutation({ mutationFn: (id: string) => unwrap(api.DELETE("/v1/jobs/{job_id}", path(id))), onSettled: settled }),
    star: useMutation({
      mutationFn: ({ id, starred }: { id: string; starred: boolean }) =>
        unwrap(api.PATCH("/v1/jobs/{job_id}", { ...path(id), body: { starred } as Schemas["PatchJob"] })),
      onSettled: settled,
    }),
    cancelWaiting: useMutation({
      mutationFn: async (ids: string[]) => {
        for (const id of ids) {
          try {
            await unwrap(api.POST("/v1/jobs/{job_id}/cancel", path(id)));
          } catch (error) {
            // It has started or ended in the meantime.
            if (!(error instanceof ProblemError && error.code === "job_state_conflict")) throw error;
          }
        }
      },
      onSettled: settled,
    }),
  };
}

export async function refresh(queries: QueryClient): Promise<void> {
  await Promise.all([
    queries.invalidateQueries({ queryKey: ["jobs"] }),
    queries.invalidateQueries({ queryKey: ["job"] }),
  ]);
}
