/** Jobs, GPU time and cost of a month by day, as bars and as numbers. */
import { Group, SegmentedControl, Stack, Table, Text, TextInput, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { type Schemas, api } from "../api/client";
import { unwrap } from "../api/problem";
import { ProblemText } from "../kit/ProblemText";
import { bytes, duration } from "../kit/format";

export default function UsagePage() {
  const { t, i18n } = useTranslation();
  const [month, setMonth] = useState(new Date().toISOString().slice(0, 7));
  const [everyone, setEveryone] = useState(false);
  const usage = useQuery({
    queryKey: ["usage", month, everyone],
    queryFn: ({ signal }) => everyPage(month, everyone, signal),
    enabled: /^\d{4}-\d{2}$/.test(month),
  });
  const days = usage.data?.days ?? [];
  const known = days.some((day) => day.cost !== null);
  const weight = (day: Schemas["UsageDay"]) => (known ? (day.cost ?? 0) : day.gpu_seconds);
  const largest = Math.max(...days.map(weight), Number.MIN_VALUE);
  const money = new Intl.NumberFormat(i18n.language, { style: "currency", currency: "USD" });
  const sum = (pick: (day: Schemas["UsageDay"]) => number) => days.reduce((total, day) => total + pick(day), 0);
  return (
    <Stack>
      <Title order={1} size="h3">
        {t("nav.usage")}
      </Title>
      <Group align="flex-end">
        <TextInput type="month" label={t("usage.month")} value={month} onChange={(event) => setMonth(event.currentTarget.value)} />
        <SegmentedControl
          aria-label={t("usage.whose")}
          data={[
            { value: "mine", label: t("usage.mine") },
            { value: "everyone", label: t("usage.everyone") },
          ]}
          value={everyone ? "everyone" : "mine"}
          onChange={(value) => setEveryone(value === "everyone")}
        />
      </Group>
      {usage.error !== null && <ProblemText error={usage.error} />}
      {usage.isSuccess && (
        <Text>
          {t("usage.sum", {
            jobs: sum((day) => day.jobs),
            time: duration(sum((day) => day.gpu_seconds)),
            cost: known ? money.format(sum((day) => day.cost ?? 0)) : "—",
          })}
          {usage.data.asset_bytes != null && ` · ${t("usage.files", { size: bytes(usage.data.asset_bytes) })}`}
        </Text>
      )}
      {usage.isSuccess && days.length === 0 && <Text c="dimmed">{t("usage.none")}</Text>}
      {days.length > 0 && (
        <Table.ScrollContainer minWidth={560} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
          <Table>
            <Table.Thead>
              <Table.Tr>
                {(["day", "user", "jobs", "failed", "gpu", "cost"] as const).map((column) => (
                  <Table.Th key={column}>{t(`usage.${column}`)}</Table.Th>
                ))}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {days.map((day) => (
                <Table.Tr key={`${day.day} ${day.user}`}>
                  <Table.Td>{day.day}</Table.Td>
                  <Table.Td>{day.user}</Table.Td>
                  <Table.Td>{day.jobs}</Table.Td>
                  <Table.Td>{day.failed}</Table.Td>
                  <Table.Td>{duration(day.gpu_seconds)}</Table.Td>
                  <Table.Td>
                    <span className="bar" style={{ width: `${(120 * weight(day)) / largest}px` }} />
                    {day.cost === null ? "—" : money.format(day.cost)}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Stack>
  );
}

async function everyPage(month: string, everyone: boolean, signal: AbortSignal): Promise<Schemas["UsagePage"]> {
  const days: Schemas["UsageDay"][] = [];
  let cursor: string | null = null;
  for (;;) {
    const page: Schemas["UsagePage"] = await unwrap(
      api.GET("/v1/usage", {
        params: { query: { month, ...(everyone ? { everyone, limit: 100 } : {}), ...(cursor === null ? {} : { cursor }) } },
        signal,
      }),
    );
    days.push(...page.days);
    cursor = page.next_cursor;
    if (cursor === null) return { ...page, days };
  }
}
