/** Jobs, GPU time and cost of a month by day, user, endpoint or model, as charts and as numbers; and what is left. */
import { Card, Group, Progress, SegmentedControl, Stack, Text, TextInput, Title } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Schemas } from "../api/client";
import { ProblemText } from "../kit/ProblemText";
import { RowTable } from "../kit/RowTable";
import { bytes, duration, money } from "../kit/format";
import { DayChart } from "./DayChart";
import type { Quotas } from "./QuotaFields";
import { useMe, useRights } from "../session/rights";
import { type By, useUsage } from "./queries";

type UsageGroup = Schemas["UsageGroup"];
const DIMENSIONS = ["day", "user", "endpoint", "model"] as const satisfies readonly By[];

export default function UsagePage() {
  const { t, i18n } = useTranslation();
  const [month, setMonth] = useState(new Date().toISOString().slice(0, 7));
  const [everyone, setEveryone] = useState(false);
  const [by, setBy] = useState<By>("day");
  const { may } = useRights();
  const usage = useUsage(month, everyone, by);
  const groups = usage.data?.groups ?? [];
  const known = groups.some(({ cost }) => cost !== null);
  const weigh = (group: UsageGroup) => (known ? (group.cost ?? 0) : group.gpu_seconds);
  const format = (value: number) => (known ? money(value, i18n.language) : duration(value));
  const sum = (pick: (group: UsageGroup) => number) => groups.reduce((total, group) => total + pick(group), 0);
  return (
    <Stack>
      <Title order={1} size="h3">
        {t("nav.usage")}
      </Title>
      <Group align="flex-end">
        <TextInput type="month" label={t("usage.month")} value={month} onChange={(event) => setMonth(event.currentTarget.value)} />
        {may("user:list") && (
          <SegmentedControl
            aria-label={t("usage.whose")}
            data={[
              { value: "mine", label: t("usage.mine") },
              { value: "everyone", label: t("usage.everyone") },
            ]}
            value={everyone ? "everyone" : "mine"}
            onChange={(value) => setEveryone(value === "everyone")}
          />
        )}
        <div className="scroll-x">
          <SegmentedControl
            aria-label={t("usage.by")}
            data={DIMENSIONS.map((value) => ({ value, label: t(`usage.${value}`) }))}
            value={by}
            onChange={(value) => setBy(value as By)}
          />
        </div>
      </Group>
      {usage.error !== null && <ProblemText error={usage.error} />}
      {usage.isSuccess && (
        <Text role="status">
          {t("usage.sum", {
            jobs: sum(({ jobs }) => jobs),
            time: duration(sum((group) => group.gpu_seconds)),
            cost: known ? money(sum(({ cost }) => cost ?? 0), i18n.language) : "—",
          })}
          {usage.data.asset_bytes != null && ` · ${t("usage.files", { size: bytes(usage.data.asset_bytes) })}`}
        </Text>
      )}
      {usage.isSuccess && groups.length === 0 && <Text c="dimmed">{t("usage.none")}</Text>}
      {groups.length > 0 && by === "day" && (
        <DayChart
          month={month}
          values={new Map(groups.map((group) => [group.key, weigh(group)]))}
          format={format}
          label={t(known ? "usage.costByDay" : "usage.timeByDay")}
        />
      )}
      {groups.length > 0 && <Groups groups={groups} by={by} weigh={weigh} />}
      <Left />
    </Stack>
  );
}

interface GroupsProps {
  groups: UsageGroup[];
  by: By;
  weigh: (group: UsageGroup) => number;
}

function Groups({ groups, by, weigh }: GroupsProps) {
  const { t, i18n } = useTranslation();
  const largest = Math.max(...groups.map(weigh), Number.MIN_VALUE);
  return (
    <RowTable
      rows={groups}
      keyOf={({ key }) => key}
      minWidth={480}
      columns={[
        { title: t(`usage.${by}`), mono: true, cell: ({ key }) => key || "—" },
        { title: t("usage.jobs"), cell: ({ jobs }) => jobs },
        { title: t("usage.gpu"), cell: (group) => duration(group.gpu_seconds) },
        {
          title: t("usage.cost"),
          cell: (group) => (
            <>
              <span className="bar" style={{ width: `${(120 * weigh(group)) / largest}px` }} />
              {group.cost === null ? "—" : money(group.cost, i18n.language)}
            </>
          ),
        },
      ]}
    />
  );
}

/** One's own quotas: how much is used, and when it starts again. */
function Left() {
  const { t, i18n } = useTranslation();
  const me = useMe();
  const uses = me.data?.quota_use ?? [];
  if (uses.length === 0) return null;
  const number = new Intl.NumberFormat(i18n.language, { maximumFractionDigits: 1 });
  const time = new Intl.DateTimeFormat(i18n.language, { dateStyle: "medium", timeStyle: "short" });
  return (
    <Card withBorder component="section" aria-label={t("quota.mine")}>
      <Title order={2} size="h5">
        {t("quota.mine")}
      </Title>
      {uses.map(({ quota, limit, used, resets_at }) => (
        <Stack key={quota} gap={2} mt="xs">
          <Text size="sm">
            {t(`quota.${quota as keyof Quotas}`)}: {number.format(used)} / {number.format(limit)}
            {resets_at && ` · ${t("quota.resets", { time: time.format(new Date(resets_at)) })}`}
          </Text>
          <Progress value={limit === 0 ? 100 : Math.min(100, (100 * used) / limit)} aria-label={t(`quota.${quota as keyof Quotas}`)} />
        </Stack>
      ))}
    </Card>
  );
}
