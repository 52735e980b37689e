/** Users: made, invited, changed, locked out and deleted. */
import { Button, Checkbox, Select, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { API_ROOT, type Schemas, api } from "../api/client";
import { unwrap } from "../api/problem";
import { FormModal } from "../kit/FormModal";
import { Needs } from "../kit/Needs";
import { ProblemText } from "../kit/ProblemText";
import { RowTable } from "../kit/RowTable";
import { useConfirm } from "../kit/confirm";
import { useRights } from "../session/rights";
import { QuotaFields, QuotaWords, type Quotas } from "./QuotaFields";
import { useRoles } from "./queries";

type User = Schemas["UserView"];

export function Users({ users, onSecret }: { users: User[]; onSecret: (text: string) => void }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const confirm = useConfirm();
  const roles = useRoles();
  const { mayChange, mayGive } = useRights();
  const [edited, setEdited] = useState<User | "new" | null>(null);
  const invite = useMutation({
    mutationFn: (user: string) => unwrap(api.POST("/v1/sessions/codes", { body: { user } as Schemas["CreateSessionCode"] })),
    onSuccess: ({ code }) => onSecret(`${API_ROOT}/#code=${code}`),
  });
  const remove = useMutation({
    mutationFn: (name: string) => unwrap(api.DELETE("/v1/users/{name}", { params: { path: { name } } })),
    onSettled: () => void queries.invalidateQueries({ queryKey: ["users"] }),
  });
  const error = invite.error ?? remove.error;
  const mayManage = ({ role, created_by }: User) =>
    mayChange("user", created_by) && mayGive(roles.data?.find(({ name }) => name === role)?.permissions ?? []);
  return (
    <>
      {error !== null && <ProblemText error={error} />}
      {confirm.dialog}
      <RowTable
        rows={users}
        keyOf={({ name }) => name}
        minWidth={640}
        columns={[
          { title: t("people.name"), mono: true, cell: ({ name }) => name },
          { title: t("people.role"), cell: ({ role, disabled }) => (disabled ? `${role} (${t("people.disabled")})` : role) },
          { title: t("people.keys"), cell: ({ keys }) => keys },
          { title: t("quota.title"), cell: ({ quotas }) => <QuotaWords quotas={quotas} /> },
        ]}
        actions={(user) =>
          mayManage(user) && (
            <>
              <Small name={user.name} text={t("people.invite")} onClick={() => invite.mutate(user.name)} />
              <Small name={user.name} text={t("people.change")} onClick={() => setEdited(user)} />
              <Small
                name={user.name}
                text={t("jobs.delete")}
                onClick={() =>
                  confirm.ask(t("people.deleteSure", { name: user.name }), t("jobs.delete"), () => remove.mutate(user.name))
                }
              />
            </>
          )
        }
      />
      <Needs right="user:create">
        <Button variant="default" w="fit-content" onClick={() => setEdited("new")}>
          {t("people.create")}
        </Button>
      </Needs>
      {edited !== null && <UserForm user={edited === "new" ? null : edited} onClose={() => setEdited(null)} />}
    </>
  );
}

/** A button of a row; a reader of screens hears whose. */
export function Small({ text, name, onClick }: { text: string; name: string; onClick: () => void }) {
  return (
    <Button size="compact-xs" variant="default" aria-label={`${text}: ${name}`} onClick={onClick}>
      {text}
    </Button>
  );
}

function UserForm({ user, onClose }: { user: User | null; onClose: () => void }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const roles = useRoles();
  const { mayGive } = useRights();
  const [name, setName] = useState(user?.name ?? "");
  const [role, setRole] = useState(user?.role ?? "artist");
  const [quotas, setQuotas] = useState<Quotas>(user?.quotas ?? ({} as Quotas));
  const [endpoint, setEndpoint] = useState(user?.default_endpoint ?? "");
  const [disabled, setDisabled] = useState(user?.disabled ?? false);
  const send = useMutation({
    mutationFn: () => {
      const body = { role, quotas, default_endpoint: endpoint.trim() || null };
      return user === null
        ? unwrap(api.POST("/v1/users", { body: { name, ...body } }))
        : unwrap(api.PATCH("/v1/users/{name}", { params: { path: { name } }, body: { ...body, disabled } }));
    },
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["users"] });
      onClose();
    },
  });
  return (
    <FormModal
      title={user === null ? t("people.create") : t("people.changeNamed", { name: user.name })}
      send={t(user === null ? "people.create" : "form.save")}
      sending={send.isPending}
      error={send.error}
      onSend={() => send.mutate()}
      onClose={onClose}
    >
      {user === null && (
        <TextInput label={t("people.name")} value={name} onChange={(event) => setName(event.currentTarget.value)} required data-autofocus />
      )}
      <Select
        label={t("people.role")}
        data={roles.data?.filter(({ name, permissions }) => name === role || mayGive(permissions)).map(({ name }) => name) ?? [role]}
        value={role}
        onChange={(value) => value !== null && setRole(value)}
        allowDeselect={false}
      />
      <TextInput
        label={t("people.defaultEndpoint")}
        placeholder={t("generate.anyEndpoint")}
        value={endpoint}
        onChange={(event) => setEndpoint(event.currentTarget.value)}
      />
      {user !== null && (
        <Checkbox
          label={t("people.lockOut")}
          description={t("people.lockOutHelp")}
          checked={disabled}
          onChange={(event) => setDisabled(event.currentTarget.checked)}
        />
      )}
      <QuotaFields quotas={quotas} onQuotas={setQuotas} />
    </FormModal>
  );
}
