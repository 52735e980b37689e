/** One job: what it does now, or what it made. */
import { ActionIcon, Alert, Button, Group, Loader, Stack, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useConfirm } from "../kit/confirm";
import { Icon } from "../kit/Icon";
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
            {job.data.task}
          </Title>
          <StatusBadge status={job.data.status} />
        </Group>
        <ActionIcon variant="subtle" color="gray" aria-label={t("jobs.close")} onClick={onClose}>
          <Icon name="close" />
        </ActionIcon>
      </Group>
      <Actions job={job.data} onClose={onClose} onRetried={onRetried} />
      {isOpen(job.data) && <JobProgress job={job.data} />}
      <Failure job={job.data} />
      {job.data.result && <ResultView job={job.data} result={job.data.result} />}
      <JobDetails job={job.data} />
    </Stack>
  );
}

function Actions({ job, onClose, onRetried }: { job: Job } & Omit<Props, "id">) {
  const { t } = useTranslation();
  const { cancel, retry, remove, star } = useJobActions();
  const confirm = useConfirm();
  const error = cancel.error ?? retry.error ?? remove.error ?? star.error;
  return (
    <>
      <Group gap="xs">
        {isOpen(job) ? (
          <Button
            size="xs"
            variant="default"
            loading={cancel.isPending}
            disabled={job.cancel_requested}
            onClick={() => cancel.mutate(job.job_id)}
          >
            {t(job.cancel_requested ? "jobs.cancelAsked" : "jobs.cancel")}
          </Button>
        ) : (
          <>
            <Button
              size="xs"
              variant="default"
              aria-pressed={job.starred}
              loading={star.isPending}
              onClick={() => star.mutate({ id: job.job_id, starred: !job.starred })}
            >
              {job.starred ? "★" : "☆"} {t("jobs.star")}
            </Button>
            <Button
              size="xs"
              variant="default"
              loading={retry.isPending}
              onClick={() => retry.mutate(job.job_id, { onSuccess: (made) => onRetried(made.job_id) })}
            >
              {t("jobs.retry")}
            </Button>
            <Button
              size="xs"
              variant="default"
              loading={remove.isPending}
              onClick={() =>
                confirm.ask(t("jobs.deleteSure"), t("jobs.delete"), () =>
                  remove.mutate(job.job_id, { onSuccess: onClose }),
                )
              }
            >
              {t("jobs.delete")}
            </Button>
          </>
        )}
      </Group>
      {confirm.dialog}
      {error !== null && <ProblemText error={error} />}
    </>
  );
}

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
