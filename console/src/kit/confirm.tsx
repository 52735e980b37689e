/** Asks before something that cannot be undone. */
import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";

interface Question {
  text: string;
  action: string;
  act: () => void;
}

export function useConfirm() {
  const { t } = useTranslation();
  const [question, setQuestion] = useState<Question | null>(null);
  const close = () => setQuestion(null);
  const dialog = (
    <Modal
      opened={question !== null}
      onClose={close}
      title={question?.action}
      centered
      closeButtonProps={{ "aria-label": t("jobs.close") }}
    >
      <Stack>
        <Text>{question?.text}</Text>
        <Group justify="flex-end">
          <Button variant="default" onClick={close} data-autofocus>
            {t("confirm.keep")}
          </Button>
          <Button
            color="red.9"
            onClick={() => {
              question?.act();
              close();
            }}
          >
            {question?.action}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
  return { ask: (text: string, action: string, act: () => void) => setQuestion({ text, action, act }), dialog };
}
