/** Asks for a key or an invitation, and checks it before anything is kept. */
import { Anchor, Button, Center, Checkbox, Paper, PasswordInput, Stack, Text, Title } from "@mantine/core";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { ProblemText } from "../kit/ProblemText";
import { credential, openSession } from "./open";
import { useSession } from "./session";

export function SignIn({ again = false }: { again?: boolean }) {
  const { t } = useTranslation();
  const signIn = useSession((session) => session.signIn);
  const field = useRef<HTMLInputElement>(null);
  const [key, setKey] = useState("");
  const [lasting, setLasting] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  // There is nothing else to do on this page.
  useEffect(() => field.current?.focus(), []);

  async function submit(event: FormEvent) {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      signIn(await openSession(credential(key, lasting)), lasting);
    } catch (caught) {
      setError(caught);
    } finally {
      setBusy(false);
    }
  }

  return (
    <Center component="main" mih="100dvh" p="md">
      <Paper withBorder radius="md" p="xl" maw={420} w="100%">
        <form onSubmit={(event) => void submit(event)}>
          <Stack>
            <Title order={1} size="h3">
              {t("app.name")}
            </Title>
            <Text>{t(again ? "signIn.again" : "signIn.intro")}</Text>
            <PasswordInput
              label={t("signIn.key")}
              description={t("signIn.keyHelp")}
              value={key}
              onChange={(event) => setKey(event.currentTarget.value)}
              autoComplete="off"
              required
              ref={field}
              visibilityToggleButtonProps={{ "aria-label": t("signIn.show") }}
            />
            <Checkbox
              label={t("signIn.lasting")}
              checked={lasting}
              onChange={(event) => setLasting(event.currentTarget.checked)}
            />
            {error !== null && <ProblemText error={error} />}
            <Button type="submit" loading={busy} disabled={!key.trim()}>
              {t("signIn.submit")}
            </Button>
            <Text size="sm" c="dimmed">
              {t("signIn.where")} <Anchor component="span" underline="never" ff="monospace" size="sm">make local</Anchor>
            </Text>
          </Stack>
        </form>
      </Paper>
    </Center>
  );
}
