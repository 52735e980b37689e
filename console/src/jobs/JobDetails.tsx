/** Everything else the service knows of a job, folded until asked for. */
import { Accordion, Code, Table } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Schemas } from "../api/client";
import { money } from "../kit/format";
import { Copyable } from "./ResultView";
import type { Job } from "./queries";

type Row = [string, string | false | null | undefined];
type Phase = Schemas["JobPhase"];

export function JobDetails({ job }: { job: Job }) {
  const { t, i18n } = useTranslation();
  const seconds = (value: number | null | undefined) => value != null && t("jobs.seconds", { seconds: value.toFixed(1) });
  const time = new Intl.DateTimeFormat(i18n.language, { dateStyle: "medium", timeStyle: "medium" });
  const rows: Row[] = [
    [t("jobs.id"), job.job_id],
    [t("jobs.created"), time.format(new Date(job.created_at))],
    [t("jobs.checkpoint"), job.checkpoint],
    [t("jobs.endpoint"), job.endpoint],
    [t("jobs.queuedSeconds"), seconds(job.queued_seconds)],
    [t("jobs.runSeconds"), seconds(job.run_seconds)],
    [t("usage.cost"), job.cost_usd != null && money(job.cost_usd, i18n.language)],
    [t("jobs.seeds"), job.seeds?.join(", ")],
    [t("jobs.retryOfName"), job.retry_of],
  ];
  const warnings = job.warnings ?? [];
  const timings = Object.entries(job.result?.timings ?? {}).map(([phase, value]): Row => [
    i18n.exists(`phase.${phase}`) ? t(`phase.${phase as Phase}`) : t("jobs.allPhases"),
    seconds(value),
  ]);
  return (
    <Accordion multiple variant="contained" defaultValue={warnings.length > 0 ? ["warnings"] : []}>
      {warnings.length > 0 && (
        <Section name="warnings" title={t("jobs.warnings")}>
          {warnings.map((warning) => (
            <div key={warning.pointer + warning.message}>
              <Code>{warning.pointer}</Code> {warning.message}
            </div>
          ))}
        </Section>
      )}
      <Section name="details" title={t("jobs.details")}>
        <Rows rows={rows} />
      </Section>
      {timings.length > 0 && (
        <Section name="timings" title={t("jobs.timings")}>
          <Rows rows={timings} />
        </Section>
      )}
      {job.result && (
        <Section name="parameters" title={t("jobs.parameters")}>
          <Copyable title={t("jobs.parameters")} text={JSON.stringify(job.result.parameters, null, 2)} />
        </Section>
      )}
      {(job.models?.length ?? 0) > 0 && (
        <Section name="models" title={t("jobs.models")}>
          {job.models!.map((model) => (
            <div key={`${model.type} ${model.name}`} className="mono">
              {model.type}: {model.name} {model.sha256?.slice(0, 10)}
            </div>
          ))}
        </Section>
      )}
    </Accordion>
  );
}

function Rows({ rows }: { rows: Row[] }) {
  return (
    <Table variant="vertical" withTableBorder={false}>
      <Table.Tbody>
        {rows
          .filter(([, value]) => value)
          .map(([name, value]) => (
            <Table.Tr key={name}>
              <Table.Th>{name}</Table.Th>
              <Table.Td className="mono">{value}</Table.Td>
            </Table.Tr>
          ))}
      </Table.Tbody>
    </Table>
  );
}

function Section({ name, title, children }: { name: string; title: string; children: React.ReactNode }) {
  return (
    <Accordion.Item value={name}>
      <Accordion.Control>{title}</Accordion.Control>
      <Accordion.Panel>{children}</Accordion.Panel>
    </Accordion.Item>
  );
}
