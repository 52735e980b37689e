/** What the reader prefers; the API keeps it, so it is the same on every device. */
import { Checkbox, Code, SegmentedControl, Stack, Text, TextInput, Title } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { LANGUAGES, type Language } from "../i18n";
import { DEFAULT_PATTERN, PATTERN_WORDS, fileName } from "../jobs/names";
import { allowed, useNotify } from "../jobs/notify";
import { usePreferences } from "./preferences";

const EXAMPLE = {
  job: { job_id: "019ad1f2c0de7a31", created_at: "2026-11-30T14:05:09Z", task: "txt2img", checkpoint: "dream.safetensors" },
  image: { seed: 1234567890, width: 512, height: 768, format: "png" },
  parameters: { prompt: "a cat on a mat", steps: 20, cfg_scale: 7, sampler_name: "Euler a" },
};

export default function SettingsPage() {
  const { t, i18n } = useTranslation();
  const { theme, fileName: pattern, prefer } = usePreferences();
  const example = fileName(pattern, EXAMPLE.job, EXAMPLE.image, 0, EXAMPLE.parameters);
  return (
    <Stack maw={640}>
      <Title order={1} size="h3">
        {t("nav.settings")}
      </Title>
      <Text c="dimmed">{t("settings.kept")}</Text>
      <Choice
        label={t("nav.language")}
        data={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
        value={i18n.language}
        onChange={(language) => prefer({ language: language as Language })}
      />
      <Choice
        label={t("nav.theme")}
        data={(["auto", "light", "dark"] as const).map((value) => ({ value, label: t(`nav.themes.${value}`) }))}
        value={theme}
        onChange={(chosen) => prefer({ theme: chosen as typeof theme })}
      />
      <TextInput
        label={t("settings.fileName")}
        description={t("settings.fileNameHelp")}
        placeholder={DEFAULT_PATTERN}
        value={pattern}
        onChange={(event) => prefer({ fileName: event.currentTarget.value })}
      />
      <Text size="sm" role="status">
        {t("settings.example", { name: example })}
      </Text>
      <Text size="sm" c="dimmed">
        {PATTERN_WORDS.map((word) => (
          <Code key={word} mr={4}>
            [{word}]
          </Code>
        ))}
      </Text>
      <Notifications />
    </Stack>
  );
}

function Choice({ label, ...rest }: { label: string; data: { value: string; label: string }[]; value: string; onChange: (value: string) => void }) {
  return (
    <div>
      <Text size="sm" fw={500}>
        {label}
      </Text>
      <SegmentedControl aria-label={label} fullWidth {...rest} />
    </div>
  );
}

function Notifications() {
  const { t } = useTranslation();
  const { choose } = useNotify();
  const on = usePreferences((preferences) => preferences.notify);
  const [refused, setRefused] = useState(false);
  return (
    <>
      <Checkbox
        label={t("notify.on")}
        checked={on}
        onChange={(event) => void choose(event.currentTarget.checked).then((done) => setRefused(!done))}
      />
      {(refused || (on && !allowed())) && (
        <Text role="alert" size="sm" c="var(--mantine-color-error)">
          {t("notify.refused")}
        </Text>
      )}
    </>
  );
}
