/** Looks at the newest jobs on every page: their progress is in the tab's title, their end is a notification by choice. */
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../api/client";
import { unwrap } from "../api/problem";
import { useRights } from "../session/rights";
import { notify } from "./notify";
import { isOpen } from "./history";
import type { JobSummary } from "./queries";
import { endedSince, titleOf } from "./watch";

const BUSY_MS = 2000;
const QUIET_MS = 20_000;

export function JobWatch() {
  const { t } = useTranslation();
  const before = useRef<JobSummary[]>([]);
  const { mayAsk } = useRights();
  const { data } = useQuery({
    queryKey: ["jobs", "watch"],
    enabled: mayAsk("inference:list"),
    queryFn: ({ signal }) => unwrap(api.GET("/v1/jobs", { params: { query: { limit: 50 } }, signal })),
    // A hidden tab goes on looking until its jobs have ended.
    refetchInterval: ({ state }) => (state.data?.jobs.some(isOpen) ? BUSY_MS : document.hidden ? false : QUIET_MS),
    refetchIntervalInBackground: true,
  });
  useEffect(() => {
    if (!data) return;
    document.title = titleOf(data.jobs, t("app.name"));
    for (const job of endedSince(before.current, data.jobs))
      notify(`${t(`task.${job.task}`)}: ${t(`status.${job.status}`)}`, job.prompt ?? "", job.job_id);
    before.current = data.jobs;
  }, [data, t]);
  useEffect(
    () => () => {
      document.title = t("app.name");
    },
    [t],
  );
  return null;
}
