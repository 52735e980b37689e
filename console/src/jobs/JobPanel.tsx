/** One job: what it does now, or what it made. */
import { ActionIcon, Alert, Button, Group, Loader, Stack, Text, TextInput, Title } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useConfirm } from "../kit/confirm";
import { Icon } from "../kit/Icon";
import { Needs } from "../kit/Needs";
import { ProblemText } from "../kit/ProblemText";
import { JobDetails } from "./JobDetails";
import { JobProgress } from "./JobProgress";
import { ResultView } from "./ResultView";
import { StatusBadge } from "./StatusBadge";
import { type Job, isOpen, useJob, useJobActions } from "./queries";

interface Props {
  id: string;
  onClose: () => void;
  onRetried: (id: string) => void;
}

export function JobPanel({ id, onClose, onRetried }: Props) {
  const { t } = useTranslation();
  const job = useJob(id);
  if (job.error !== null && job.data === undefined) return <ProblemText error={job.error} />;
  if (job.data === undefined) return <Loader />;
  return (
    <Stack gap="sm">
      <Group justify="space-between" wrap="nowrap">
        <Group gap="xs">
          <Title order={2} size="h4">
            {t(`task.${job.data.task}`)}
          </Title>
          <StatusBadge status={job.data.status} />
        </Group>
        <ActionIcon variant="subtle" color="gray" aria-label={t("jobs.close")} onClick={onClose}>
          <Icon name="close" />
        </ActionIcon>
      </Group>
      <Needs right="inference:create">
        <Actions job={job.data} onClose={onClose} onRetried={onRetried} />
      </Needs>
      {isOpen(job.data) && <JobProgress job={job.data} />}
      <Failure job={job.data} />
      {job.data.result && <ResultView job={job.data} result={job.data.result} />}
      <JobDetails job={job.data} />
    </Stack>
  );
}

function Actions({ job, onClose, onRetried }: { job: Job } & Omit<Props, "id">) {
  const { t } = useTranslation();
  const { cancel, retry, remove, change } = useJobActions();
  const confirm = useConfirm();
  const error = cancel.error ?? retry.error ?? remove.error ?? change.error;
  const again = (seed: number | null) =>
    retry.mutate({ id: job.job_id, seed }, { onSuccess: (made) => onRetried(made.job_id) });
  return (
    <>
      <Group gap="xs">
        {isOpen(job) ? (
          <Action
            loading={cancel.isPending}
            disabled={job.cancel_requested}
            onClick={() => cancel.mutate(job.job_id)}
            text={t(job.cancel_requested ? "jobs.cancelAsked" : "jobs.cancel")}
          />
        ) : (
          <>
            <Action
              pressed={job.starred}
              loading={change.isPending}
              onClick={() => change.mutate({ id: job.job_id, starred: !job.starred })}
              text={`${job.starred ? "★" : "☆"} ${t("jobs.star")}`}
            />
            <Action loading={retry.isPending} onClick={() => again(null)} text={t("jobs.retry")} />
            {isDrawn(job) && <Action loading={retry.isPending} onClick={() => again(-1)} text={t("jobs.retryNewSeed")} />}
            <Action
              loading={remove.isPending}
              onClick={() =>
                confirm.ask(t("jobs.deleteSure"), t("jobs.delete"), () => remove.mutate([job.job_id], { onSuccess: onClose }))
              }
              text={t("jobs.delete")}
            />
          </>
        )}
      </Group>
      <Label job={job} onLabel={(label) => change.mutate({ id: job.job_id, label })} />
      {confirm.dialog}
      {error !== null && <ProblemText error={error} />}
    </>
  );
}

interface ActionProps {
  text: string;
  onClick: () => void;
  loading: boolean;
  disabled?: boolean;
  pressed?: boolean;
}

function Action({ text, onClick, loading, disabled, pressed }: ActionProps) {
  return (
    <Button size="xs" variant="default" loading={loading} disabled={disabled ?? false} aria-pressed={pressed} onClick={onClick}>
      {text}
    </Button>
  );
}

/** A name for the job, kept when the field is left or Enter is pressed. */
function Label({ job, onLabel }: { job: Job; onLabel: (label: string) => void }) {
  const { t } = useTranslation();
  const [text, setText] = useState(job.label);
  const keep = () => text !== job.label && onLabel(text);
  return (
    <TextInput
      size="xs"
      aria-label={t("jobs.label")}
      placeholder={t("jobs.label")}
      value={text}
      maxLength={200}
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={keep}
      onKeyDown={(event) => event.key === "Enter" && keep()}
    />
  );
}

const isDrawn = ({ task }: Job): boolean => task === "txt2img" || task === "img2img";

function Failure({ job }: { job: Job }) {
  const { t } = useTranslation();
  if (job.status === "expired") return <Alert variant="outline" color="orange" title={t("jobs.expired")} />;
  if (!job.error) return null;
  return (
    <Alert variant="outline" color="red" title={t(`jobError.${job.error.code}`)}>
      <Text size="sm">{job.error.message}</Text>
    </Alert>
  );
}
