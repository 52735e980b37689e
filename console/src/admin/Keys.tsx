/** One's own keys and sessions: made, shown once, revoked. */
import { Button, Card, Group, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { type Schemas, api } from "../api/client";
import { unwrap } from "../api/problem";
import { ProblemText } from "../kit/ProblemText";
import { RowTable } from "../kit/RowTable";
import { useRights } from "../session/rights";
import { Small } from "./Users";

export function Keys({ onSecret }: { onSecret: (text: string) => void }) {
  const { t, i18n } = useTranslation();
  const queries = useQueryClient();
  const keys = useQuery({ queryKey: ["keys"], queryFn: ({ signal }) => unwrap(api.GET("/v1/keys", { signal })) });
  const { me } = useRights();
  const [label, setLabel] = useState("");
  const [expires, setExpires] = useState("");
  const changed = () => void queries.invalidateQueries({ queryKey: ["keys"] });
  const create = useMutation({
    mutationFn: () => {
      const ends = expires ? { expires_at: new Date(`${expires}T23:59:59`).toISOString() } : {};
      return unwrap(api.POST("/v1/keys", { body: { label, ...ends } as Schemas["CreateKey"] }));
    },
    onSuccess: ({ key }) => {
      onSecret(key);
      setLabel("");
      changed();
    },
  });
  const revoke = useMutation({
    mutationFn: (key_id: string) => unwrap(api.DELETE("/v1/keys/{key_id}", { params: { path: { key_id } } })),
    onSettled: changed,
  });
  const error = keys.error ?? create.error ?? revoke.error;
  const time = new Intl.DateTimeFormat(i18n.language, { dateStyle: "medium", timeStyle: "short" });
  return (
    <Card withBorder component="section" aria-label={t("people.myKeys")}>
      <Title order={2} size="h5">
        {t("people.myKeys")}
      </Title>
      {error !== null && <ProblemText error={error} />}
      <RowTable
        rows={keys.data?.keys ?? []}
        keyOf={({ key_id }) => key_id}
        minWidth={520}
        columns={[
          { title: t("people.label"), cell: (key) => key.label || key.key_id.slice(0, 10) },
          { title: t("people.kind"), cell: ({ session }) => t(session ? "people.session" : "people.key") },
          {
            title: t("people.ends"),
            cell: ({ expires_at }) => (expires_at ? time.format(new Date(expires_at)) : t("people.lasting")),
          },
        ]}
        actions={(key) =>
          // A key cannot revoke itself; signing out ends a session.
          key.key_id !== me?.key_id && (
            <Small name={key.label || key.key_id.slice(0, 10)} text={t("people.revoke")} onClick={() => revoke.mutate(key.key_id)} />
          )
        }
      />
      <form
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate();
        }}
      >
        <Group align="flex-end">
          <TextInput label={t("people.label")} value={label} onChange={(event) => setLabel(event.currentTarget.value)} />
          <TextInput type="date" label={t("people.endsByChoice")} value={expires} onChange={(event) => setExpires(event.currentTarget.value)} />
          <Button type="submit" variant="default" loading={create.isPending}>
            {t("people.createKey")}
          </Button>
        </Group>
      </form>
    </Card>
  );
}
