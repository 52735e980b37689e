/** One endpoint with its live state: change its scaling, put it to sleep, delete it. */
import { Alert, Badge, Button, Card, Group, Text, Title } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { type Schemas, api } from "../api/client";
import { unwrap } from "../api/problem";
import { SleepsIn } from "../kit/GpuLamp";
import { ProblemText } from "../kit/ProblemText";
import { useConfirm } from "../kit/confirm";
import { useRights } from "../session/rights";
import { EndpointForm } from "./EndpointForm";

export type Endpoint = Schemas["EndpointView"];

export function EndpointCard({ endpoint }: { endpoint: Endpoint }) {
  const { t } = useTranslation();
  const rows: [string, string | number | null | undefined][] = [
    [t("endpoints.instances"), endpoint.instance_count],
    [t("endpoints.openJobs"), endpoint.open_jobs],
    [t("endpoints.type"), endpoint.instance_type],
    [t("endpoints.least"), endpoint.min_instances],
    [t("endpoints.most"), endpoint.max_instances],
    [t("endpoints.idle"), endpoint.idle_minutes],
    [t("endpoints.backlog"), endpoint.backlog_per_instance],
    [t("endpoints.forWhom"), [...(endpoint.users ?? []), ...(endpoint.roles ?? [])].join(", ") || null],
    [t("assets.owner"), endpoint.owner],
  ];
  return (
    <Card withBorder component="section" aria-label={endpoint.name}>
      <Group justify="space-between" wrap="nowrap">
        <Title order={2} size="h5" className="mono">
          {endpoint.name}
        </Title>
        <Badge variant="default" tt="none" className="badge">
          {t(`endpointStatus.${endpoint.status}`)}
        </Badge>
      </Group>
      {endpoint.sleeps_at && (
        <Text size="sm" role="timer">
          {t("lamp.awake", { count: endpoint.instance_count })}
          {t("lamp.and")}
          <SleepsIn at={endpoint.sleeps_at} />
        </Text>
      )}
      {rows
        .filter(([, value]) => value != null)
        .map(([name, value]) => (
          <Group key={name} justify="space-between" wrap="nowrap">
            <Text size="sm" c="dimmed">
              {name}
            </Text>
            <Text size="sm" ta="end">
              {value}
            </Text>
          </Group>
        ))}
      {endpoint.failure_reason && (
        <Alert color="red" variant="outline" title={t("problem.endpoint_not_in_service")}>
          {endpoint.failure_reason}
        </Alert>
      )}
      <Actions endpoint={endpoint} />
    </Card>
  );
}

function Actions({ endpoint }: { endpoint: Endpoint }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const confirm = useConfirm();
  const { mayChange } = useRights();
  const [changing, setChanging] = useState(false);
  const settled = () => void queries.invalidateQueries({ queryKey: ["endpoints"] });
  const at = { path: { name: endpoint.name } };
  const remove = useMutation({
    mutationFn: (force: boolean) => unwrap(api.DELETE("/v1/endpoints/{name}", { params: { ...at, query: { force } } })),
    onSettled: settled,
  });
  const sleep = useMutation({
    mutationFn: () => unwrap(api.POST("/v1/endpoints/{name}/sleep", { params: at })),
    onSettled: settled,
  });
  const jobs = endpoint.open_jobs ?? 0;
  const template = endpoint.managed_by === "template";
  const allowed = mayChange("endpoint", endpoint.owner);
  const error = remove.error ?? sleep.error;
  return (
    <>
      <Group gap="xs" mt="xs">
        {endpoint.sleeps_at && allowed && (
          <Button size="xs" loading={sleep.isPending} onClick={() => sleep.mutate()}>
            {t("endpoints.sleepNow")}
          </Button>
        )}
        {!template && allowed && (
          <Button size="xs" variant="default" onClick={() => setChanging(true)}>
            {t("people.change")}
          </Button>
        )}
        {!template && allowed && (
          <Button
            size="xs"
            variant="default"
            loading={remove.isPending}
            onClick={() =>
              confirm.ask(
                jobs > 0
                  ? t("endpoints.deleteWithJobsSure", { name: endpoint.name, count: jobs })
                  : t("endpoints.deleteSure", { name: endpoint.name }),
                t("jobs.delete"),
                () => remove.mutate(jobs > 0),
              )
            }
          >
            {t("jobs.delete")}
          </Button>
        )}
      </Group>
      {template && (
        <Text size="xs" c="dimmed" mt="xs">
          {t("endpoints.template")}
        </Text>
      )}
      {sleep.isSuccess && (
        <Text size="sm" role="status">
          {t("endpoints.asked")}
        </Text>
      )}
      {error !== null && <ProblemText error={error} />}
      {confirm.dialog}
      {changing && <EndpointForm endpoint={endpoint} onClose={() => setChanging(false)} />}
    </>
  );
}
