/** The pictures with what they were made from, and the ways out: save, copy. */
import { Button, Code, CopyButton, Group, Spoiler, Stack, Text, UnstyledButton } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Schemas } from "../api/client";
import { ProblemText } from "../kit/ProblemText";
import { SendTo } from "./SendTo";
import { saveAll, savePicture } from "./saving";
import type { Job } from "./queries";

export function ResultView({ job, result }: { job: Job; result: Schemas["ResultView"] }) {
  const { t } = useTranslation();
  const [shown, setShown] = useState(0);
  const [error, setError] = useState<unknown>(null);
  const count = result.images.length;
  const image = result.images[Math.min(shown, count - 1)];
  const attempt = (saving: Promise<void>) => {
    setError(null);
    saving.catch(setError);
  };
  return (
    <Stack gap="sm">
      {image && (
        <>
          <img
            className="result-picture"
            src={image.url}
            width={image.width}
            height={image.height}
            alt={t("jobs.picture", { number: shown + 1, count })}
          />
          {count > 1 && (
            <Group gap={4}>
              {result.images.map((each, index) => (
                <UnstyledButton
                  key={each.url}
                  aria-label={t("jobs.picture", { number: index + 1, count })}
                  aria-pressed={index === shown}
                  onClick={() => setShown(index)}
                >
                  <img className="thumbnail" src={each.url} alt="" loading="lazy" />
                </UnstyledButton>
              ))}
            </Group>
          )}
          <Group gap="xs">
            <Button size="xs" onClick={() => attempt(savePicture(job, result.images, shown))}>
              {t("jobs.save")}
            </Button>
            {count > 1 && (
              <Button size="xs" variant="default" onClick={() => attempt(saveAll(job, result.images))}>
                {t("jobs.saveAll")}
              </Button>
            )}
            <SendTo job={job} image={image} parameters={result.parameters} onError={setError} />
          </Group>
          {error !== null && <ProblemText error={error} />}
          {image.infotext && <Copyable title={t("jobs.infotext")} text={image.infotext} />}
        </>
      )}
      {result.caption !== null && <Copyable title={t("jobs.caption")} text={result.caption} />}
      {result.warnings.map((warning) => (
        <Text key={warning} size="sm">
          {warning}
        </Text>
      ))}
    </Stack>
  );
}

export function Copyable({ title, text }: { title: string; text: string }) {
  const { t } = useTranslation();
  return (
    <Stack gap={4}>
      <Group justify="space-between">
        <Text size="sm" fw={600}>
          {title}
        </Text>
        <CopyButton value={text}>
          {({ copied, copy }) => (
            <Button size="compact-xs" variant="default" onClick={copy}>
              {t(copied ? "jobs.copied" : "jobs.copy")}
            </Button>
          )}
        </CopyButton>
      </Group>
      <Spoiler maxHeight={160} showLabel="…" hideLabel="▲" transitionDuration={0}>
        <Code block className="wrap">
          {text}
        </Code>
      </Spoiler>
    </Stack>
  );
}
