/** History on the left, the chosen job's result on the right; on a phone one after the other. */
import { ActionIcon, Button, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { useDebouncedValue, useMediaQuery } from "@mantine/hooks";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import { Icon } from "../kit/Icon";
import { ProblemText } from "../kit/ProblemText";
import { useRights } from "../session/rights";
import { JobFilters } from "./JobFilters";
import { JobList } from "./JobList";
import { JobPanel } from "./JobPanel";
import { SelectionBar } from "./SelectionBar";
import { type JobFilter, NO_FILTER, refresh, useJobActions, useJobs } from "./queries";

const TYPED_MS = 400;

export default function JobsPage({ chosen }: { chosen: string | null }) {
  const { t } = useTranslation();
  const [, go] = useLocation();
  const wide = useMediaQuery("(min-width: 62em)");
  const [filter, setFilter] = useState<JobFilter>(NO_FILTER);
  const [typed] = useDebouncedValue(filter, TYPED_MS);
  const jobs = useJobs({ ...filter, q: typed.q.trim(), label: typed.label.trim(), model: typed.model.trim() });
  const [selected, setSelected] = useState<ReadonlySet<string> | null>(null);
  const filtered = JSON.stringify(filter) !== JSON.stringify(NO_FILTER);

  return (
    <Stack gap="sm">
      <Header jobs={jobs} onSelect={() => setSelected(selected === null ? new Set() : null)} />
      <Group align="flex-start" wrap="nowrap" gap="md">
        {(wide || chosen === null) && (
          <Stack gap="xs" className="grow" maw={wide ? 480 : undefined}>
            <JobFilters filter={filter} onFilter={setFilter} />
            {selected !== null && (
              <SelectionBar
                selected={selected}
                onAll={() => setSelected(new Set(jobs.jobs.map(({ job_id }) => job_id)))}
                onEnd={() => setSelected(null)}
              />
            )}
            {jobs.error !== null && <ProblemText error={jobs.error} />}
            {jobs.loaded && jobs.jobs.length === 0 && <Text c="dimmed">{t(filtered ? "jobs.noneMatch" : "jobs.none")}</Text>}
            <JobList
              jobs={jobs.jobs}
              chosen={chosen}
              selected={selected}
              onSelect={(id) => setSelected((before) => toggled(before, id))}
              onChoose={(id) => go(`/jobs/${id}`)}
              onEnd={jobs.loadMore}
            />
            {jobs.loadingMore && <Text size="sm">{t("jobs.more")}</Text>}
          </Stack>
        )}
        {(wide || chosen !== null) && (
          <Paper withBorder p="md" className="grow" component="section" aria-label={t("jobs.panel")}>
            {chosen === null ? (
              <Text c="dimmed">{t("jobs.choose")}</Text>
            ) : (
              <JobPanel key={chosen} id={chosen} onClose={() => go("/jobs")} onRetried={(id) => go(`/jobs/${id}`)} />
            )}
          </Paper>
        )}
      </Group>
    </Stack>
  );
}

function Header({ jobs, onSelect }: { jobs: ReturnType<typeof useJobs>; onSelect: () => void }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const { cancelWaiting } = useJobActions();
  const { may } = useRights();
  const waiting = jobs.jobs.filter(({ status }) => status === "queued" || status === "created");
  return (
    <>
      <Group justify="space-between">
        <Title order={1} size="h3">
          {t("jobs.title")}
        </Title>
        <Group gap="xs">
          {waiting.length > 1 && may("inference:create") && (
            <Button size="xs" variant="default" loading={cancelWaiting.isPending} onClick={() => cancelWaiting.mutate()}>
              {t("jobs.cancelWaiting")}
            </Button>
          )}
          <Button size="xs" variant="default" disabled={jobs.jobs.length === 0} onClick={onSelect}>
            {t("jobs.selectSome")}
          </Button>
          <ActionIcon
            variant="default"
            size="lg"
            aria-label={t("jobs.refresh")}
            loading={jobs.refreshing}
            onClick={() => void refresh(queries)}
          >
            <Icon name="refresh" />
          </ActionIcon>
        </Group>
      </Group>
      {cancelWaiting.error !== null && <ProblemText error={cancelWaiting.error} />}
    </>
  );
}

function toggled(before: ReadonlySet<string> | null, id: string): ReadonlySet<string> {
  const after = new Set(before);
  if (!after.delete(id)) after.add(id);
  return after;
}
