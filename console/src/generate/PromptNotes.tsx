/** Below a prompt: its tokens in each of CLIP's chunks, and brackets that do not close. */
import { Group, Text } from "@mantine/core";
import { useDeferredValue } from "react";
import { useTranslation } from "react-i18next";
import type { Tab } from "../params/store";
import { CHUNK } from "../params/tokens/size";
import { useChunks } from "../params/tokens/count";
import { unclosed } from "../params/weights";
import { useField } from "./fields";

const DEFAULT_STEPS = 50;

export function PromptNotes({ tab, text, negative }: { tab: Tab; text: string; negative: boolean }) {
  const { t } = useTranslation();
  const [steps] = useField(tab, "steps");
  const chunks = useChunks(useDeferredValue(text), negative, typeof steps === "number" ? steps : DEFAULT_STEPS);
  const open = unclosed(text);
  if (chunks === null && open === null) return null;
  return (
    <Group justify="space-between" gap="xs">
      <Text size="xs" c="var(--mantine-color-error)">
        {open !== null && t("prompt.unclosed", { bracket: open })}
      </Text>
      {chunks !== null && (
        <Text size="xs" c="dimmed">
          {t("prompt.tokens", { chunks: chunks.map((count) => `${count}/${CHUNK}`).join(" · ") })}
        </Text>
      )}
    </Group>
  );
}
