/** Endpoints with their live state; those that people made can be deleted, and new ones made. */
import { Alert, Badge, Button, Card, Group, NumberInput, SimpleGrid, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { BOUNDS } from "virtual:contract";
import { type Schemas, api } from "../api/client";
import { unwrap } from "../api/problem";
import { useEndpoints } from "../generate/queries";
import { ProblemText } from "../kit/ProblemText";
import { useConfirm } from "../kit/confirm";

export default function EndpointsPage() {
  const { t } = useTranslation();
  const endpoints = useEndpoints();
  return (
    <Stack>
      <Title order={1} size="h3">
        {t("nav.endpoints")}
      </Title>
      {endpoints.error !== null && <ProblemText error={endpoints.error} />}
      {endpoints.isSuccess && endpoints.data.endpoints.length === 0 && <Text c="dimmed">{t("endpoints.none")}</Text>}
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
        {endpoints.data?.endpoints.map((endpoint) => (
          <EndpointCard key={endpoint.name} endpoint={endpoint} />
        ))}
      </SimpleGrid>
      <CreateForm />
    </Stack>
  );
}

function EndpointCard({ endpoint }: { endpoint: Schemas["EndpointView"] }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const confirm = useConfirm();
  const remove = useMutation({
    mutationFn: () => unwrap(api.DELETE("/v1/endpoints/{name}", { params: { path: { name: endpoint.name } } })),
    onSettled: () => void queries.invalidateQueries({ queryKey: ["endpoints"] }),
  });
  const rows: [string, string | number | null | undefined][] = [
    [t("endpoints.instances"), endpoint.instance_count],
    [t("endpoints.openJobs"), endpoint.open_jobs],
    [t("endpoints.type"), endpoint.instance_type],
    [t("endpoints.idle"), endpoint.idle_minutes],
    [t("endpoints.most"), endpoint.max_instances],
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
      {rows
        .filter(([, value]) => value != null)
        .map(([name, value]) => (
          <Group key={name} justify="space-between">
            <Text size="sm" c="dimmed">
              {name}
            </Text>
            <Text size="sm">{value}</Text>
          </Group>
        ))}
      {endpoint.failure_reason && (
        <Alert color="red" variant="outline" title={t("problem.endpoint_not_in_service")}>
          {endpoint.failure_reason}
        </Alert>
      )}
      {endpoint.managed_by !== "template" && (
        <Button
          mt="xs"
          size="xs"
          variant="default"
          loading={remove.isPending}
          onClick={() => confirm.ask(t("endpoints.deleteSure", { name: endpoint.name }), t("jobs.delete"), remove.mutate)}
        >
          {t("jobs.delete")}
        </Button>
      )}
      {remove.error !== null && <ProblemText error={remove.error} />}
      {confirm.dialog}
    </Card>
  );
}

function CreateForm() {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const bounds = BOUNDS.CreateEndpoint!;
  const [name, setName] = useState("");
  const [instance, setInstance] = useState("ml.g5.xlarge");
  const [most, setMost] = useState<number | string>(1);
  const [idle, setIdle] = useState<number | string>(Number(bounds.idle_minutes?.default ?? 15));
  const create = useMutation({
    mutationFn: () =>
      unwrap(
        api.POST("/v1/endpoints", {
          body: { name, instance_type: instance, max_instances: Number(most), idle_minutes: Number(idle) } as Schemas["CreateEndpoint"],
        }),
      ),
    onSuccess: () => {
      setName("");
      void queries.invalidateQueries({ queryKey: ["endpoints"] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate();
  };
  return (
    <Card withBorder component="section" aria-label={t("endpoints.create")}>
      <form onSubmit={submit}>
        <Group align="flex-end">
          <TextInput label={t("endpoints.name")} value={name} onChange={(event) => setName(event.currentTarget.value)} required />
          <TextInput label={t("endpoints.type")} value={instance} onChange={(event) => setInstance(event.currentTarget.value)} required />
          <NumberInput label={t("endpoints.most")} value={most} onChange={setMost} min={bounds.max_instances?.minimum} max={bounds.max_instances?.maximum} />
          <NumberInput label={t("endpoints.idle")} value={idle} onChange={setIdle} min={bounds.idle_minutes?.minimum} max={bounds.idle_minutes?.maximum} />
          <Button type="submit" variant="default" loading={create.isPending} disabled={!name}>
            {t("endpoints.create")}
          </Button>
        </Group>
      </form>
      {create.error !== null && <ProblemText error={create.error} />}
    </Card>
  );
}
