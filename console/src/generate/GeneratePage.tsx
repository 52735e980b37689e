/** WebUI's tabs over one form, and next to it what comes of it. */
import { Loader, Paper, Stack, Tabs, Text, Title } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import { useJob } from "../jobs/queries";
import { useLast } from "../params/last";
import { TABS, type Tab, useForm } from "../params/store";
import { Form } from "./Form";
import { lazily } from "../kit/lazily";

/** Not part of the first load: there is no job before the first click. */
const Compare = lazily(() => import("../canvas/Compare"));
const JobPanel = lazily(() => import("../jobs/JobPanel").then((module) => ({ default: module.JobPanel })));

export default function GeneratePage({ tab }: { tab: Tab }) {
  const { t } = useTranslation();
  const [, go] = useLocation();
  const wide = useMediaQuery("(min-width: 75em)");
  const ready = useForm.persist.hasHydrated();
  const [, rerender] = useState(0);
  const { job, show } = useLast();
  if (!ready) useForm.persist.onFinishHydration(() => rerender((count) => count + 1));
  return (
    <Stack gap="sm">
      <Title order={1} size="h3">
        {t("nav.generate")}
      </Title>
      <Tabs value={tab} onChange={(next) => go(`/generate/${next}`)} keepMounted={false}>
        <Tabs.List aria-label={t("nav.generate")}>
          {TABS.map((each) => (
            <Tabs.Tab key={each} value={each}>
              {t(`tab.${each}`)}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value={tab} pt="sm">
          <div className={wide ? "two-columns" : undefined}>
            {ready && <Form key={tab} tab={tab} onSent={(id) => show(id, tab === "txt2img" ? null : useForm.getState().pictures[tab])} />}
            <Paper withBorder p="md" component="section" aria-label={t("generate.result")} mt={wide ? 0 : "md"}>
              {job === null ? (
                <Text c="dimmed">{t("generate.noResult")}</Text>
              ) : (
                <Suspense fallback={<Loader />}>
                  <Stack>
                    <JobPanel key={job} id={job} onClose={() => show(null)} onRetried={show} />
                    <BeforeAndAfter job={job} />
                  </Stack>
                </Suspense>
              )}
            </Paper>
          </div>
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}

function BeforeAndAfter({ job }: { job: string }) {
  const before = useLast((last) => last.before);
  const after = useJob(job).data?.result?.images[0]?.url;
  return before && after ? <Compare before={before} after={after} /> : null;
}
