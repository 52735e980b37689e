/** A form over the page: its fields, what the service said against them, and the way to send or leave it. */
import { Button, Group, Modal, Stack } from "@mantine/core";
import type { FormEvent, ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { ProblemText } from "./ProblemText";

interface Props {
  title: string;
  send: string;
  sending: boolean;
  error: unknown;
  onSend: () => void;
  onClose: () => void;
  children: ReactNode;
}

export function FormModal({ title, send, sending, error, onSend, onClose, children }: Props) {
  const { t } = useTranslation();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSend();
  };
  return (
    <Modal opened onClose={onClose} title={title} size="lg" closeButtonProps={{ "aria-label": t("jobs.close") }}>
      <form onSubmit={submit}>
        <Stack gap="sm">
          {children}
          {error !== null && <ProblemText error={error} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {t("form.leave")}
            </Button>
            <Button type="submit" loading={sending}>
              {send}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
