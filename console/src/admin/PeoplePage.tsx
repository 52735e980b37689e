/** Users with their roles, an invitation as a link, and one's own keys. */
import { Alert, Button, Card, Code, CopyButton, Group, Select, Stack, Table, Text, TextInput, Title, VisuallyHidden } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { API_ROOT, type Schemas, api } from "../api/client";
import { unwrap } from "../api/problem";
import { ProblemText } from "../kit/ProblemText";
import { useConfirm } from "../kit/confirm";

export default function PeoplePage() {
  const { t } = useTranslation();
  const users = useQuery({
    queryKey: ["users"],
    queryFn: ({ signal }) => unwrap(api.GET("/v1/users", { params: { query: { limit: 100 } }, signal })),
  });
  const [secret, setSecret] = useState<string | null>(null);
  return (
    <Stack>
      <Title order={1} size="h3">
        {t("nav.people")}
      </Title>
      {secret !== null && <Secret text={secret} onClose={() => setSecret(null)} />}
      {users.error !== null && <ProblemText error={users.error} />}
      {users.isSuccess && <UserTable users={users.data.users} onSecret={setSecret} />}
      {users.isSuccess && <CreateUser />}
      <Keys onSecret={setSecret} />
    </Stack>
  );
}

/** What is shown this once: a key, or a link with a code. */
function Secret({ text, onClose }: { text: string; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Alert variant="outline" title={t("people.once")} withCloseButton onClose={onClose} closeButtonLabel={t("jobs.close")}>
      <Group>
        <Code className="mono">{text}</Code>
        <CopyButton value={text}>
          {({ copied, copy }) => (
            <Button size="compact-xs" variant="default" onClick={copy}>
              {t(copied ? "jobs.copied" : "jobs.copy")}
            </Button>
          )}
        </CopyButton>
      </Group>
    </Alert>
  );
}

function UserTable({ users, onSecret }: { users: Schemas["UserView"][]; onSecret: (text: string) => void }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const confirm = useConfirm();
  const invite = useMutation({
    mutationFn: (user: string) => unwrap(api.POST("/v1/sessions/codes", { body: { user } as Schemas["CreateSessionCode"] })),
    onSuccess: ({ code }) => onSecret(`${API_ROOT}/#code=${code}`),
  });
  const remove = useMutation({
    mutationFn: (name: string) => unwrap(api.DELETE("/v1/users/{name}", { params: { path: { name } } })),
    onSettled: () => void queries.invalidateQueries({ queryKey: ["users"] }),
  });
  const error = invite.error ?? remove.error;
  return (
    <>
      {error !== null && <ProblemText error={error} />}
      {confirm.dialog}
      <Table.ScrollContainer minWidth={520} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("people.name")}</Table.Th>
              <Table.Th>{t("people.role")}</Table.Th>
              <Table.Th>{t("people.keys")}</Table.Th>
              <Table.Th>
                <VisuallyHidden>{t("people.invite")}</VisuallyHidden>
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {users.map((user) => (
              <Table.Tr key={user.name}>
                <Table.Td className="mono">{user.name}</Table.Td>
                <Table.Td>{user.role}</Table.Td>
                <Table.Td>{user.keys}</Table.Td>
                <Table.Td>
                  <Group gap="xs">
                    <Button size="compact-xs" variant="default" onClick={() => invite.mutate(user.name)}>
                      {t("people.invite")}
                    </Button>
                    <Button
                      size="compact-xs"
                      variant="default"
                      aria-label={t("assets.deleteNamed", { name: user.name })}
                      onClick={() =>
                        confirm.ask(t("people.deleteSure", { name: user.name }), t("jobs.delete"), () => remove.mutate(user.name))
                      }
                    >
                      {t("jobs.delete")}
                    </Button>
                  </Group>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </>
  );
}

function CreateUser() {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const roles = useQuery({
    queryKey: ["roles"],
    queryFn: ({ signal }) => unwrap(api.GET("/v1/roles", { params: { query: { limit: 100 } }, signal })),
  });
  const [name, setName] = useState("");
  const [role, setRole] = useState("artist");
  const create = useMutation({
    mutationFn: () => unwrap(api.POST("/v1/users", { body: { name, role } as Schemas["CreateUser"] })),
    onSuccess: () => {
      setName("");
      void queries.invalidateQueries({ queryKey: ["users"] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate();
  };
  return (
    <Card withBorder component="section" aria-label={t("people.create")}>
      <form onSubmit={submit}>
        <Group align="flex-end">
          <TextInput label={t("people.name")} value={name} onChange={(event) => setName(event.currentTarget.value)} required />
          <Select
            label={t("people.role")}
            data={roles.data?.roles.map((each) => each.name) ?? ["artist"]}
            value={role}
            onChange={(value) => value !== null && setRole(value)}
            allowDeselect={false}
          />
          <Button type="submit" variant="default" loading={create.isPending} disabled={!name}>
            {t("people.create")}
          </Button>
        </Group>
      </form>
      {create.error !== null && <ProblemText error={create.error} />}
    </Card>
  );
}

function Keys({ onSecret }: { onSecret: (text: string) => void }) {
  const { t, i18n } = useTranslation();
  const queries = useQueryClient();
  const keys = useQuery({
    queryKey: ["keys"],
    queryFn: ({ signal }) => unwrap(api.GET("/v1/keys", { signal })),
  });
  const [label, setLabel] = useState("");
  const changed = () => void queries.invalidateQueries({ queryKey: ["keys"] });
  const create = useMutation({
    mutationFn: () => unwrap(api.POST("/v1/keys", { body: { label } as Schemas["CreateKey"] })),
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
      {keys.data?.keys.map((key) => (
        <Group key={key.key_id} justify="space-between" py={4}>
          <Text size="sm">
            {key.label || key.key_id} · {key.expires_at ? t("people.until", { time: time.format(new Date(key.expires_at)) }) : t("people.lasting")}
          </Text>
          <Button
            size="compact-xs"
            variant="default"
            aria-label={t("people.revokeNamed", { name: key.label || key.key_id })}
            onClick={() => revoke.mutate(key.key_id)}
          >
            {t("people.revoke")}
          </Button>
        </Group>
      ))}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate();
        }}
      >
        <Group align="flex-end">
          <TextInput label={t("people.label")} value={label} onChange={(event) => setLabel(event.currentTarget.value)} />
          <Button type="submit" variant="default" loading={create.isPending}>
            {t("people.createKey")}
          </Button>
        </Group>
      </form>
    </Card>
  );
}
