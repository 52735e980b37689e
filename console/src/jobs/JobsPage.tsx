/** History on the left, the chosen job's result on the right; on a phone one after the other. */
import { ActionIcon, Button, Checkbox, Group, Paper, Select, Stack, Text, TextInput, Title } from "@mantine/core";
import { useDebouncedValue, useMediaQuery } from "@mantine/hooks";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import type { Schemas } from "../api/client";
import { Icon } from "../kit/Icon";
import { ProblemText } from "../kit/ProblemText";
import { JobList } from "./JobList";
import { JobPanel } from "./JobPanel";
import { type JobFilter, everyJob, refresh, useJobActions, useJobs } from "./queries";

const TASKS = ["txt2img", "img2img", "extra_single_image", "extra_batch_images", "interrogate_clip", "interrogate_deepbooru"] as const;
const STATUSES = ["queued", "running", "succeeded", "failed", "canceled", "expired"] as const;

export default function JobsPage({ chosen }: { chosen: string | null }) {
  const { t } = useTranslation();
  const [, go] = useLocation();
  const queries = useQueryClient();
  const wide = useMediaQuery("(min-width: 62em)");
  const [filter, setFilter] = useState<JobFilter>({ task: null, status: null, q: "", starred: false });
  const [search, setSearch] = useState("");
  const [q] = useDebouncedValue(search.trim(), 400);
  const jobs = useJobs({ ...filter, q });
  const { cancelWaiting } = useJobActions();
  const list = everyJob(jobs.data);
  const waiting = list.filter((job) => job.status === "queued" || job.status === "created");
  const showList = wide || chosen === null;

  return (
    <Stack gap="sm">
      <Group justify="space-between">
        <Title order={1} size="h3">
          {t("jobs.title")}
        </Title>
        <Group gap="xs">
          {waiting.length > 1 && (
            <Button
              size="xs"
              variant="default"
              loading={cancelWaiting.isPending}
              onClick={() => cancelWaiting.mutate(waiting.map((job) => job.job_id))}
            >
              {t("jobs.cancelWaiting")}
            </Button>
          )}
          <ActionIcon
            variant="default"
            size="lg"
            aria-label={t("jobs.refresh")}
            loading={jobs.isRefetching && !jobs.isFetchingNextPage}
            onClick={() => void refresh(queries)}
          >
            <Icon name="refresh" />
          </ActionIcon>
        </Group>
      </Group>
      <Group align="flex-start" wrap="nowrap" gap="md">
        {showList && (
          <Stack gap="xs" className="grow" maw={wide ? 440 : undefined}>
            <Group gap="xs" grow>
              <Select
                aria-label={t("jobs.filterTask")}
                placeholder={t("jobs.anyTask")}
                data={[...TASKS]}
                value={filter.task}
                onChange={(task) => setFilter({ ...filter, task: task as Schemas["Task"] | null })}
                clearable
                clearButtonProps={{ "aria-label": t("jobs.anyTask") }}
              />
              <Select
                aria-label={t("jobs.filterStatus")}
                placeholder={t("jobs.anyStatus")}
                data={STATUSES.map((status) => ({ value: status, label: t(`status.${status}`) }))}
                value={filter.status}
                onChange={(status) => setFilter({ ...filter, status: status as Schemas["JobStatus"] | null })}
                clearable
                clearButtonProps={{ "aria-label": t("jobs.anyStatus") }}
              />
            </Group>
            <Group gap="xs" wrap="nowrap">
              <TextInput
                className="grow"
                type="search"
                aria-label={t("jobs.search")}
                placeholder={t("jobs.search")}
                value={search}
                onChange={(event) => setSearch(event.currentTarget.value)}
              />
              <Checkbox
                label={t("jobs.starredOnly")}
                checked={filter.starred}
                onChange={(event) => setFilter({ ...filter, starred: event.currentTarget.checked })}
              />
            </Group>
            {jobs.error !== null && <ProblemText error={jobs.error} />}
            {jobs.isSuccess && list.length === 0 && (
              <Text c="dimmed">{t(filter.task || filter.status || q || filter.starred ? "jobs.noneMatch" : "jobs.none")}</Text>
            )}
            <JobList
              jobs={list}
              chosen={chosen}
              onChoose={(id) => go(`/jobs/${id}`)}
              onEnd={() => {
                if (jobs.hasNextPage && !jobs.isFetchingNextPage) void jobs.fetchNextPage();
              }}
            />
            {jobs.isFetchingNextPage && <Text size="sm">{t("jobs.more")}</Text>}
          </Stack>
        )}
        {(wide || chosen !== null) && (
          <Paper withBorder p="md" className="grow" component="section" aria-label={t("jobs.details")}>
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
