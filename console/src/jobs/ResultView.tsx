/** The pictures with what they were made from, and the ways out: save, copy. */
import { Button, Checkbox, Code, CopyButton, Group, Spoiler, Stack, Text, UnstyledButton } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Schemas } from "../api/client";
import { ProblemText } from "../kit/ProblemText";
import { SendTo } from "./SendTo";
import { Viewer } from "./Viewer";
import { savePicture, savePictures } from "./saving";
import type { Job } from "./queries";

export function ResultView({ job, result }: { job: Job; result: Schemas["ResultView"] }) {
  const { t } = useTranslation();
  const [shown, setShown] = useState(0);
  const [large, setLarge] = useState(false);
  /** Places of the pictures that a zip shall have; none: all. */
  const [ticked, setTicked] = useState<number[]>([]);
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
          <UnstyledButton className="result-button" aria-label={t("viewer.open")} onClick={() => setLarge(true)}>
            <img
              className="result-picture"
              src={image.url}
              width={image.width}
              height={image.height}
              alt={t("jobs.picture", { number: shown + 1, count })}
            />
          </UnstyledButton>
          {large && <Viewer images={result.images} shown={shown} onShow={setShown} onClose={() => setLarge(false)} />}
          {count > 1 && (
            <Group gap={4}>
              {result.images.map((each, index) => (
                <div key={index} className="thumbnail-place">
                  <UnstyledButton
                    aria-label={t("jobs.picture", { number: index + 1, count })}
                    aria-pressed={index === shown}
                    onClick={() => setShown(index)}
                  >
                    <img className="thumbnail" src={each.url} alt="" loading="lazy" />
                  </UnstyledButton>
                  <Checkbox
                    size="xs"
                    className="thumbnail-tick"
                    aria-label={t("jobs.selectPicture", { number: index + 1 })}
                    checked={ticked.includes(index)}
                    onChange={() => setTicked(ticked.includes(index) ? ticked.filter((one) => one !== index) : [...ticked, index])}
                  />
                </div>
              ))}
            </Group>
          )}
          <Group gap="xs">
            <Button size="xs" onClick={() => attempt(savePicture(job, shown))}>
              {t("jobs.save")}
            </Button>
            {count > 1 && (
              <Button
                size="xs"
                variant="default"
                onClick={() => attempt(savePictures(job, ticked.length > 0 ? ticked : result.images.map((_, index) => index)))}
              >
                {ticked.length > 0 ? t("jobs.saveTicked", { count: ticked.length }) : t("jobs.saveAll")}
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
