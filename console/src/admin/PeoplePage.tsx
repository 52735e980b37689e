/** Users, roles, and one's own keys. */
import { Alert, Button, Card, Code, CopyButton, Group, Stack, Title } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { ProblemText } from "../kit/ProblemText";
import { useRights } from "../session/rights";
import { Keys } from "./Keys";
import { Roles } from "./Roles";
import { Users } from "./Users";
import { useRoles, useUsers } from "./queries";

export default function PeoplePage() {
  const { t } = useTranslation();
  const users = useUsers();
  const roles = useRoles();
  const { mayAsk } = useRights();
  const [secret, setSecret] = useState<string | null>(null);
  return (
    <Stack>
      <Title order={1} size="h3">
        {t("nav.people")}
      </Title>
      {secret !== null && <Secret text={secret} onClose={() => setSecret(null)} />}
      {mayAsk("user:list") && (
        <Section title={t("people.users")} error={users.error}>
          {users.isSuccess && <Users users={users.data} onSecret={setSecret} />}
        </Section>
      )}
      {mayAsk("role:list") && (
        <Section title={t("people.roles")} error={roles.error}>
          {roles.isSuccess && <Roles roles={roles.data} />}
        </Section>
      )}
      <Keys onSecret={setSecret} />
    </Stack>
  );
}

function Section({ title, error, children }: { title: string; error: Error | null; children: ReactNode }) {
  return (
    <Card withBorder component="section" aria-label={title}>
      <Title order={2} size="h5">
        {title}
      </Title>
      {error !== null && <ProblemText error={error} />}
      {children}
    </Card>
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
