/** Makes an endpoint, or changes one: how many instances, when they sleep, and who may send jobs to it. */
import { NumberInput, SimpleGrid, TagsInput, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { BOUNDS } from "virtual:contract";
import { type Schemas, api } from "../api/client";
import { unwrap } from "../api/problem";
import { FormModal } from "../kit/FormModal";
import type { Endpoint } from "./EndpointCard";

const NUMBERS = { min_instances: "least", max_instances: "most", idle_minutes: "idle", backlog_per_instance: "backlog" } as const;
type Numbers = Record<keyof typeof NUMBERS, number>;
const bounds = BOUNDS.CreateEndpoint!;

const startOf = (endpoint: Endpoint | null): Numbers =>
  Object.fromEntries(
    Object.keys(NUMBERS).map((name) => [name, endpoint?.[name as keyof Numbers] ?? Number(bounds[name]?.default ?? 0)]),
  ) as Numbers;

export function EndpointForm({ endpoint, onClose }: { endpoint: Endpoint | null; onClose: () => void }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [instance, setInstance] = useState("ml.g5.xlarge");
  const [numbers, setNumbers] = useState(() => startOf(endpoint));
  const [users, setUsers] = useState(endpoint?.users ?? []);
  const [roles, setRoles] = useState(endpoint?.roles ?? []);
  const send = useMutation({
    mutationFn: () => {
      const body = { ...numbers, users, roles };
      return endpoint === null
        ? unwrap(api.POST("/v1/endpoints", { body: { name, instance_type: instance, ...body } as Schemas["CreateEndpoint"] }))
        : unwrap(api.PATCH("/v1/endpoints/{name}", { params: { path: { name: endpoint.name } }, body }));
    },
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["endpoints"] });
      onClose();
    },
  });
  const title = endpoint === null ? t("endpoints.create") : t("people.changeNamed", { name: endpoint.name });
  return (
    <FormModal
      title={title}
      send={endpoint === null ? title : t("form.save")}
      sending={send.isPending}
      error={send.error}
      onSend={() => send.mutate()}
      onClose={onClose}
    >
      {endpoint === null && (
        <SimpleGrid className="fields" cols={{ base: 1, xs: 2 }}>
          <TextInput
            label={t("endpoints.name")}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            required
            data-autofocus
          />
          <TextInput label={t("endpoints.type")} value={instance} onChange={(event) => setInstance(event.currentTarget.value)} required />
        </SimpleGrid>
      )}
      <SimpleGrid className="fields" cols={{ base: 1, xs: 2 }}>
        {(Object.keys(NUMBERS) as (keyof Numbers)[]).map((field) => (
          <NumberInput
            key={field}
            label={t(`endpoints.${NUMBERS[field]}`)}
            value={numbers[field]}
            min={bounds[field]?.minimum ?? 0}
            max={bounds[field]?.maximum ?? Infinity}
            allowDecimal={bounds[field]?.type === "number"}
            onChange={(value) => value !== "" && setNumbers({ ...numbers, [field]: Number(value) })}
          />
        ))}
      </SimpleGrid>
      <TagsInput label={t("endpoints.users")} description={t("endpoints.everyone")} value={users} onChange={setUsers} />
      <TagsInput label={t("endpoints.roles")} value={roles} onChange={setRoles} />
    </FormModal>
  );
}
