/** An open job: its place, the phase, the steps and the picture as far as it is drawn. */
import { Progress, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useNow } from "../kit/useNow";
import { duration } from "../kit/format";
import type { Job } from "./queries";

export function JobProgress({ job }: { job: Job }) {
  const { t } = useTranslation();
  const now = useNow();
  const { progress, queue } = job;
  const share = 100 * (progress?.fraction ?? 0);
  const lines = [
    job.starting_since && t("jobs.starting", { time: duration((now - Date.parse(job.starting_since)) / 1000) }),
    !job.starting_since && progress && t(`phase.${progress.phase}`),
    progress && progress.steps > 0 && t("jobs.steps", { step: progress.step, steps: progress.steps }),
    queue && t("jobs.ahead", { count: queue.ahead }),
    queue?.eta_seconds != null && t("jobs.eta", { time: duration(queue.eta_seconds) }),
  ].filter(Boolean);
  return (
    <Stack gap={6}>
      <Text size="sm" role="status">
        {lines.join(" · ") || t(`status.${job.status}`)}
      </Text>
      <Progress value={share} animated={job.status === "running"} aria-label={t("jobs.progress")} />
      {job.preview_url && <img className="result-picture" src={job.preview_url} alt={t("jobs.preview")} />}
    </Stack>
  );
}
