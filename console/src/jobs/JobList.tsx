/** One line a job: time → type → status → id. Only the lines in view are in the page, however long the history is. */
import { Checkbox, Text, UnstyledButton } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { VList } from "virtua";
import { StatusBadge } from "./StatusBadge";
import type { JobSummary } from "./queries";

interface Props {
  jobs: JobSummary[];
  chosen: string | null;
  /** The jobs that are ticked; null: none can be. */
  selected: ReadonlySet<string> | null;
  onSelect: (id: string) => void;
  onChoose: (id: string) => void;
  onEnd: () => void;
}

const LINE = 60;
const LONG = { dateStyle: "short", timeStyle: "medium" } as const;
/** On a phone, so that the status stays in sight. */
const SHORT = { month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;

export function JobList({ jobs, chosen, selected, onSelect, onChoose, onEnd }: Props) {
  const { t, i18n } = useTranslation();
  const narrow = useMediaQuery("(max-width: 36em)");
  const time = useMemo(() => new Intl.DateTimeFormat(i18n.language, narrow ? SHORT : LONG), [i18n.language, narrow]);
  return (
    <nav aria-label={t("jobs.list")}>
      <VList
        tabIndex={0} // can be scrolled by keys even while no line is drawn yet
        style={{ height: "calc(100dvh - 190px)", minHeight: 240 }}
        data={jobs}
        itemSize={LINE}
        onScroll={(offset) => {
          if (offset > Math.max(0, jobs.length * LINE - 2000)) onEnd();
        }}
      >
        {(job) => (
          <div key={job.job_id} className="job-row" aria-current={job.job_id === chosen}>
            {selected !== null && (
              <Checkbox
                aria-label={t("jobs.select", { id: job.job_id })}
                checked={selected.has(job.job_id)}
                onChange={() => onSelect(job.job_id)}
              />
            )}
            <UnstyledButton className="job-line" aria-current={job.job_id === chosen} onClick={() => onChoose(job.job_id)}>
              <Thumbnail url={job.thumbnail_url ?? null} />
              <span className="grow">
                <span className="job-words">
                  <Text span size="sm" truncate>
                    {time.format(new Date(job.created_at))} → {t(`task.${job.task}`)} →
                  </Text>
                  <StatusBadge status={job.status} />
                  <Text span size="xs" c="dimmed" className="mono job-id" truncate>
                    → {job.job_id}
                  </Text>
                </span>
                <Text component="span" display="block" size="xs" c="dimmed" truncate>
                  {job.starred ? "★ " : ""}
                  {job.label || job.prompt}
                </Text>
              </span>
            </UnstyledButton>
          </div>
        )}
      </VList>
    </nav>
  );
}

/** Each answer has another presigned address; the picture is loaded again only when its own no longer works. */
function Thumbnail({ url }: { url: string | null }) {
  const [shown, setShown] = useState(url);
  if (shown === null && url !== null) setShown(url);
  if (shown === null) return <span className="job-picture" />;
  return <img className="job-picture" src={shown} alt="" loading="lazy" onError={() => url !== shown && setShown(url)} />;
}
