/** What the history is narrowed to: type, status, star, words of the prompt, and by choice label, model file and days. */
import { Button, Checkbox, Group, Popover, Select, Stack, TextInput } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { BOUNDS } from "virtual:contract";
import type { Schemas } from "../api/client";
import type { JobFilter } from "./queries";

const TASKS = BOUNDS.CreateJob!.task!.enum as Schemas["Task"][];
const STATUSES = ["queued", "running", "succeeded", "failed", "canceled", "expired"] as const;

interface Props {
  filter: JobFilter;
  onFilter: (filter: JobFilter) => void;
}

export function JobFilters({ filter, onFilter }: Props) {
  const { t } = useTranslation();
  const change = (part: Partial<JobFilter>) => onFilter({ ...filter, ...part });
  return (
    <>
      <Group gap="xs" grow>
        <Select
          aria-label={t("jobs.filterTask")}
          placeholder={t("jobs.anyTask")}
          data={TASKS.map((task) => ({ value: task, label: t(`task.${task}`) }))}
          value={filter.task}
          onChange={(task) => change({ task: task as Schemas["Task"] | null })}
          clearable
          clearButtonProps={{ "aria-label": t("jobs.anyTask") }}
        />
        <Select
          aria-label={t("jobs.filterStatus")}
          placeholder={t("jobs.anyStatus")}
          data={STATUSES.map((status) => ({ value: status, label: t(`status.${status}`) }))}
          value={filter.status}
          onChange={(status) => change({ status: status as Schemas["JobStatus"] | null })}
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
          value={filter.q}
          onChange={(event) => change({ q: event.currentTarget.value })}
        />
        <Checkbox
          label={t("jobs.starredOnly")}
          checked={filter.starred}
          onChange={(event) => change({ starred: event.currentTarget.checked })}
        />
        <More filter={filter} onFilter={onFilter} />
      </Group>
    </>
  );
}

function More({ filter, onFilter }: Props) {
  const { t } = useTranslation();
  const used = [filter.label, filter.model, filter.from, filter.to].filter(Boolean).length;
  const change = (part: Partial<JobFilter>) => onFilter({ ...filter, ...part });
  return (
    <Popover width={260} position="bottom-end" trapFocus withinPortal>
      <Popover.Target>
        <Button variant="default" size="compact-sm" className="badge">
          {used > 0 ? t("jobs.filtersUsed", { count: used }) : t("jobs.filters")}
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap="xs">
          <TextInput
            label={t("jobs.label")}
            value={filter.label}
            onChange={(event) => change({ label: event.currentTarget.value })}
          />
          <TextInput
            label={t("jobs.filterModel")}
            value={filter.model}
            onChange={(event) => change({ model: event.currentTarget.value })}
          />
          <TextInput
            type="date"
            label={t("jobs.from")}
            value={dayOf(filter.from)}
            onChange={(event) => change({ from: midnight(event.currentTarget.value, 0) })}
          />
          <TextInput
            type="date"
            label={t("jobs.until")}
            value={dayOf(filter.to, 1)}
            onChange={(event) => change({ to: midnight(event.currentTarget.value, 1) })}
          />
          <Button variant="default" onClick={() => change({ label: "", model: "", from: "", to: "" })}>
            {t("jobs.clearFilters")}
          </Button>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}

/** The reader's midnight that begins the day, or `later` days after it, as the API takes it. */
function midnight(day: string, later: number): string {
  if (day === "") return "";
  const moment = new Date(`${day}T00:00`);
  moment.setDate(moment.getDate() + later);
  return moment.toISOString();
}

function dayOf(moment: string, earlier = 0): string {
  if (moment === "") return "";
  const day = new Date(moment);
  day.setDate(day.getDate() - earlier);
  return `${day.getFullYear()}-${String(day.getMonth() + 1).padStart(2, "0")}-${String(day.getDate()).padStart(2, "0")}`;
}
