/** Roles: what their users may do, with which model files, and their quotas. */
import { Button, Checkbox, Fieldset, SimpleGrid, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { PERMISSIONS } from "virtual:contract";
import { type Schemas, api } from "../api/client";
import { unwrap } from "../api/problem";
import { FormModal } from "../kit/FormModal";
import { Needs } from "../kit/Needs";
import { ProblemText } from "../kit/ProblemText";
import { RowTable } from "../kit/RowTable";
import { useConfirm } from "../kit/confirm";
import { useRights } from "../session/rights";
import { QuotaFields, QuotaWords, type Quotas } from "./QuotaFields";
import { type Files, RoleFiles } from "./RoleFiles";
import { Small } from "./Users";

type Role = Schemas["RoleView"];

export function Roles({ roles }: { roles: Role[] }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const confirm = useConfirm();
  const { mayChange, mayGive } = useRights();
  const [edited, setEdited] = useState<Role | "new" | null>(null);
  const remove = useMutation({
    mutationFn: (name: string) => unwrap(api.DELETE("/v1/roles/{name}", { params: { path: { name } } })),
    onSettled: () => void queries.invalidateQueries({ queryKey: ["roles"] }),
  });
  return (
    <>
      {remove.error !== null && <ProblemText error={remove.error} />}
      {confirm.dialog}
      <RowTable
        rows={roles}
        keyOf={({ name }) => name}
        minWidth={640}
        columns={[
          { title: t("people.name"), mono: true, cell: ({ name }) => name },
          { title: t("people.permissions"), cell: ({ permissions }) => permissions.toSorted().join(", ") || "—" },
          { title: t("roleFiles.title"), cell: ({ assets }) => (assets == null ? t("roleFiles.all") : assets.join(", ") || t("roleFiles.own")) },
          { title: t("quota.title"), cell: ({ quotas }) => <QuotaWords quotas={quotas} /> },
        ]}
        actions={(role) =>
          role.built_in ? (
            <span className="unbroken">{t("people.builtIn")}</span>
          ) : mayChange("role", role.created_by) && mayGive(role.permissions) ? (
            <>
              <Small name={role.name} text={t("people.change")} onClick={() => setEdited(role)} />
              <Small
                name={role.name}
                text={t("jobs.delete")}
                onClick={() =>
                  confirm.ask(t("people.deleteRoleSure", { name: role.name }), t("jobs.delete"), () => remove.mutate(role.name))
                }
              />
            </>
          ) : null
        }
      />
      <Needs right="role:create">
        <Button variant="default" w="fit-content" onClick={() => setEdited("new")}>
          {t("people.createRole")}
        </Button>
      </Needs>
      {edited !== null && <RoleForm role={edited === "new" ? null : edited} onClose={() => setEdited(null)} />}
    </>
  );
}

function RoleForm({ role, onClose }: { role: Role | null; onClose: () => void }) {
  const { t } = useTranslation();
  const { mayGive } = useRights();
  const queries = useQueryClient();
  const [name, setName] = useState(role?.name ?? "");
  const [permissions, setPermissions] = useState<string[]>(
    role?.permissions ?? ["inference:list", "asset:list"].filter((each) => mayGive([each])),
  );
  const [quotas, setQuotas] = useState<Quotas>(role?.quotas ?? ({} as Quotas));
  const before = role?.assets ?? null;
  const [files, setFiles] = useState<Files>(before);
  const send = useMutation({
    mutationFn: () => {
      const list = JSON.stringify(files) === JSON.stringify(before) ? {} : { assets: files };
      const body = { permissions, quotas, ...list } as Schemas["PutRole"];
      return role === null
        ? unwrap(api.POST("/v1/roles", { body: { ...body, name } }))
        : unwrap(api.PUT("/v1/roles/{name}", { params: { path: { name } }, body }));
    },
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["roles"] });
      onClose();
    },
  });
  return (
    <FormModal
      title={role === null ? t("people.createRole") : t("people.changeNamed", { name: role.name })}
      send={t(role === null ? "people.createRole" : "form.save")}
      sending={send.isPending}
      error={send.error}
      onSend={() => send.mutate()}
      onClose={onClose}
    >
      {role === null && (
        <TextInput label={t("people.name")} value={name} onChange={(event) => setName(event.currentTarget.value)} required data-autofocus />
      )}
      <Fieldset legend={t("people.permissions")}>
        <Checkbox.Group value={permissions} onChange={setPermissions}>
          <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="xs">
            {PERMISSIONS.map((permission) => (
              <Checkbox key={permission} value={permission} label={permission} disabled={!mayGive([permission])} />
            ))}
          </SimpleGrid>
        </Checkbox.Group>
      </Fieldset>
      <RoleFiles files={files} onFiles={setFiles} />
      <QuotaFields quotas={quotas} onQuotas={setQuotas} />
    </FormModal>
  );
}
