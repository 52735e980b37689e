/** What the pages ask about jobs, and how often. */
import {
  type InfiniteData,
  type QueryClient,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { type Schemas, api } from "../api/client";
import { unwrap } from "../api/problem";
import { isOpen, merged, openBelow } from "./history";

export type Job = Schemas["JobView"];
export type JobSummary = Schemas["JobSummary"];
export type JobPage = Schemas["JobPage"];
export interface JobFilter {
  task: Schemas["Task"] | null;
  status: Schemas["JobStatus"] | null;
  /** Words of the prompt. */
  q: string;
  starred: boolean;
  /** A model file's name, or its hash. */
  model: string;
  label: string;
  /** ISO 8601 with a zone, or empty. */
  from: string;
  to: string;
}
export const NO_FILTER: JobFilter = { task: null, status: null, q: "", starred: false, model: "", label: "", from: "", to: "" };

export { isOpen } from "./history";

const PAGE = 100;
const BUSY_MS = 2000;
const QUIET_MS = 20_000;

function pageOf(filter: JobFilter, cursor: string | null, signal: AbortSignal): Promise<JobPage> {
  const { task, status, q, starred, model, label, from, to } = filter;
  return unwrap(
    api.GET("/v1/jobs", {
      params: {
        query: {
          limit: PAGE,
          ...(cursor && { cursor }),
          ...(task && { task }),
          ...(status && { status }),
          ...(q && { q }),
          ...(starred && { starred }),
          ...(model && { model }),
          ...(label && { label }),
          ...(from && { from }),
          ...(to && { to }),
        },
      },
      signal,
    }),
  );
}

/** The history, newest first. Only its newest page is asked for again and again; older ones are read once. */
export function useJobs(filter: JobFilter) {
  const head = useQuery({
    queryKey: ["jobs", "newest", filter],
    queryFn: ({ signal }) => pageOf(filter, null, signal),
    refetchInterval: ({ state }) => (state.data?.jobs.some(isOpen) ? BUSY_MS : QUIET_MS),
  });
  const pages = useInfiniteQuery({
    queryKey: ["history", filter],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) => pageOf(filter, pageParam, signal),
    getNextPageParam: (page) => page.next_cursor,
    staleTime: Infinity,
    refetchInterval: ({ state }) =>
      openBelow(head.data, state.data?.pages.flatMap((page) => page.jobs) ?? []) ? QUIET_MS : false,
  });
  const { jobs, gap } = useMemo(() => merged(head.data, pages.data?.pages ?? []), [head.data, pages.data]);
  const { refetch, isFetching } = pages;
  useEffect(() => {
    if (gap && !isFetching) void refetch();
  }, [gap, isFetching, refetch]);
  return {
    jobs,
    loaded: head.isSuccess,
    error: head.error ?? pages.error,
    refreshing: head.isRefetching,
    more: pages.hasNextPage,
    loadingMore: pages.isFetchingNextPage,
    loadMore: () => void (pages.hasNextPage && !pages.isFetchingNextPage && pages.fetchNextPage()),
  };
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

/** Everything that changes jobs. What an older page shows of them is changed on the spot, not read again. */
export function useJobActions() {
  const queries = useQueryClient();
  const settled = () => refresh(queries);
  const path = (job_id: string) => ({ params: { path: { job_id } } });
  const gone = (ids: string[]) => changeHistory(queries, (job) => (ids.includes(job.job_id) ? null : job));
  return {
    cancel: useMutation({
      mutationFn: (id: string) => unwrap(api.POST("/v1/jobs/{job_id}/cancel", path(id))),
      onSettled: settled,
    }),
    retry: useMutation({
      mutationFn: ({ id, seed }: { id: string; seed: number | null }) =>
        unwrap(api.POST("/v1/jobs/{job_id}/retry", { ...path(id), body: { seed } })),
      onSettled: settled,
    }),
    remove: useMutation({
      mutationFn: async (ids: string[]) => {
        for (let at = 0; at < ids.length; at += AT_ONCE) {
          const { deleted } = await unwrap(
            api.POST("/v1/jobs/delete", { body: { job_ids: ids.slice(at, at + AT_ONCE) } }),
          );
          gone(deleted);
        }
      },
      onSettled: settled,
    }),
    change: useMutation({
      mutationFn: ({ id, ...body }: { id: string; starred?: boolean; label?: string }) =>
        unwrap(api.PATCH("/v1/jobs/{job_id}", { ...path(id), body: body as Schemas["PatchJob"] })),
      onSuccess: ({ job_id, starred, label }) =>
        changeHistory(queries, (job) => (job.job_id === job_id ? { ...job, starred, label } : job)),
      onSettled: settled,
    }),
    cancelWaiting: useMutation({
      mutationFn: async () => {
        while ((await unwrap(api.POST("/v1/jobs/cancel", { body: { all_waiting: true } as Schemas["CancelJobs"] }))).more);
      },
      onSettled: settled,
    }),
  };
}

const AT_ONCE = 50;

function changeHistory(queries: QueryClient, change: (job: JobSummary) => JobSummary | null): void {
  queries.setQueriesData<InfiniteData<JobPage>>({ queryKey: ["history"] }, (data) =>
    data && {
      ...data,
      pages: data.pages.map((page) => ({ ...page, jobs: page.jobs.map(change).filter((job) => job !== null) })),
    },
  );
}

export async function refresh(queries: QueryClient): Promise<void> {
  await Promise.all([
    queries.invalidateQueries({ queryKey: ["jobs"] }),
    queries.invalidateQueries({ queryKey: ["job"] }),
  ]);
}
