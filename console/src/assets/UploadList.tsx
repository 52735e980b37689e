/** One line for each file on its way: what it does, how far it is, pause and go on. */
import { Button, Group, Paper, Progress, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { ProblemCode } from "../api/problem";
import { bytes } from "../kit/format";
import { type Upload, isFlying, useUploads } from "./upload/store";

export function UploadList() {
  const uploads = useUploads((state) => state.uploads);
  return uploads.map((upload) => <Line key={upload.id} upload={upload} />);
}

function Line({ upload }: { upload: Upload }) {
  const { t } = useTranslation();
  const { pause, resume, forget } = useUploads();
  const { id, file, state, sent, problem } = upload;
  return (
    <Paper withBorder p="xs">
      <Stack gap={4}>
        <Group justify="space-between" wrap="nowrap">
          <Text size="sm" truncate>
            {upload.name}
          </Text>
          <Text size="sm" role="status" className="badge">
            {t(`upload.${state}`)} · {bytes(sent)} / {bytes(file.size)}
          </Text>
        </Group>
        <Progress value={file.size ? (100 * sent) / file.size : 100} aria-label={t("upload.progress", { name: upload.name })} />
        {upload.there !== undefined && <Text size="sm">{t("upload.thereAs", { name: upload.there })}</Text>}
        {problem && (
          <Text size="sm" role="alert" c="var(--mantine-color-error)">
            {problem.code === "refused" ? t("upload.refused") : t(`problem.${problem.code as ProblemCode}`, t("problem.unknown"))}:{" "}
            {problem.detail}
          </Text>
        )}
        <Group gap="xs">
          {(state === "sending" || state === "hashing" || state === "waiting") && (
            <Button size="compact-xs" variant="default" onClick={() => pause(id)}>
              {t("upload.pause")}
            </Button>
          )}
          {(state === "paused" || state === "failed") && (
            <Button size="compact-xs" variant="default" onClick={() => resume(id)}>
              {t("upload.resume")}
            </Button>
          )}
          {!isFlying(upload) && (
            <Button size="compact-xs" variant="default" onClick={() => forget(id)}>
              {t("upload.forget")}
            </Button>
          )}
        </Group>
      </Stack>
    </Paper>
  );
}
