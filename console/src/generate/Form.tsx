/** One tab's form: picture, prompt, the tab's own fields, everything else folded, and the button. */
import { Accordion, Button, Group, Loader, SimpleGrid, Skeleton, Stack, Text } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { useQueryClient } from "@tanstack/react-query";
import { Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import { Lacks } from "../kit/Needs";
import { ProblemText } from "../kit/ProblemText";
import { isDrawing, isInpaint, otherFields } from "../params/fields";
import { type Tab, useForm } from "../params/store";
import { useRights } from "../session/rights";
import { Estimate, Price } from "./Estimate";
import { InfotextPaste } from "./InfotextPaste";
import { EndpointPicker, Models } from "./Models";
import { Hires, Img2Img, Inpaint, Prompt, Refiner, Sampling } from "./sections";
import { JsonField, RawField, useField } from "./fields";
import { MissingError, submit } from "./submit";
import { lazily } from "../kit/lazily";

/** What txt2img does not show at once is not part of the first load. */
const Extras = lazily(() => import("./Extras"));
const Faces = lazily(() => import("./Faces"));
const ControlNet = lazily(() => import("./ControlNet"));
const Networks = lazily(() => import("./Networks"));
const SoftInpainting = lazily(() => import("./SoftInpainting"));
const TaggerChoice = lazily(() => import("./TaggerChoice"));
const StyleBar = lazily(() => import("./StyleBar"));
const Drawing = lazily(() => import("./Drawing").then((module) => ({ default: module.Drawing })));

export function Form({ tab, onSent }: { tab: Tab; onSent: (id: string) => void }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const { endpoint, choose, reset } = useForm();
  const [choosing, setChoosing] = useState(false);
  const [sending, setSending] = useState(0);
  const [error, setError] = useState<unknown>(null);
  const { may } = useRights();
  const allowed = may("inference:create");
  const missing = error instanceof MissingError ? error.missing : null;

  async function send() {
    if (!allowed) return;
    setError(null);
    setSending((count) => count + 1);
    try {
      const job = await submit(tab);
      onSent(job.job_id);
      void queries.invalidateQueries({ queryKey: ["jobs"] });
    } catch (caught) {
      setError(caught);
    } finally {
      setSending((count) => count - 1);
    }
  }
  useHotkeys([["mod+Enter", () => void send()]], []);

  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
    <Stack gap="sm">
      {isDrawing(tab) && <Models error={missing === "checkpoint" ? t("missing.checkpoint") : null} />}
      {isDrawing(tab) && (
        <>
          <Prompt tab={tab} />
          <Group gap="xs">
            <InfotextPaste tab={tab} />
            {may("asset:list") && (
              <Button variant="default" size="compact-sm" onClick={() => setChoosing(true)}>
                {t("networks.title")}
              </Button>
            )}
          </Group>
          <Suspense fallback={<Skeleton h={36} />}>
            <StyleBar />
            {choosing && <Networks onClose={() => setChoosing(false)} />}
          </Suspense>
        </>
      )}
      {tab !== "txt2img" && (
        <Suspense fallback={<Loader />}>
          <Drawing tab={tab} />
        </Suspense>
      )}
      {tab === "interrogate" && (
        <Suspense fallback={<Skeleton h={36} />}>
          <TaggerChoice />
        </Suspense>
      )}
      {isDrawing(tab) && (
        <>
          <Sampling tab={tab} />
          {tab === "txt2img" ? <Hires tab={tab} /> : <Img2Img tab={tab} />}
          <Refiner tab={tab} />
          <Suspense fallback={<Skeleton h={60} />}>
            <Faces tab={tab} />
          </Suspense>
          {isInpaint(tab) && <Inpaint tab={tab} />}
          {isInpaint(tab) && (
            <Suspense>
              <SoftInpainting tab={tab} />
            </Suspense>
          )}
        </>
      )}
      {tab === "extras" && (
        <Suspense fallback={<Skeleton h={120} />}>
          <Extras tab={tab} />
        </Suspense>
      )}
      {!isDrawing(tab) && <EndpointPicker endpoint={endpoint} onChoose={(name) => choose({ endpoint: name })} />}
      {isDrawing(tab) && <Units tab={tab} />}
      <Others tab={tab} />
      <div className="send-bar">
        {isDrawing(tab) && <Estimate tab={tab} />}
        {error !== null && (missing ? <Text role="alert" c="var(--mantine-color-error)" mb={6}>{t(`missing.${missing}`)}</Text> : <ProblemText error={error} />)}
        {!allowed && <Lacks right="inference:create" />}
        <Group mt={error !== null && !missing ? 6 : 0}>
          <Button type="submit" className="grow" size="md" loading={sending > 0} disabled={!allowed} aria-keyshortcuts="Control+Enter">
            {t("generate.send")}
            <Price tab={tab} />
          </Button>
          <Button variant="default" size="md" onClick={reset}>
            {t("generate.reset")}
          </Button>
        </Group>
      </div>
    </Stack>
    </form>
  );
}

function Units({ tab }: { tab: Tab }) {
  const { t } = useTranslation();
  const used = useForm((form) => form.units.filter(({ enabled }) => enabled).length);
  return (
    <Accordion variant="contained" keepMounted={false}>
      <Accordion.Item value="controlnet">
        <Accordion.Control>{t("unit.title", { used })}</Accordion.Control>
        <Accordion.Panel>
          <Suspense>
            <ControlNet tab={tab} />
          </Suspense>
        </Accordion.Panel>
      </Accordion.Item>
    </Accordion>
  );
}

function Others({ tab }: { tab: Tab }) {
  const { t } = useTranslation();
  const [options, setOptions] = useField(tab, "override_settings");
  const names = otherFields(tab);
  if (names.length === 0) return null;
  return (
    <Accordion variant="contained" keepMounted={false}>
      <Accordion.Item value="others">
        <Accordion.Control>{t("generate.others")}</Accordion.Control>
        <Accordion.Panel>
          <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="xs">
            {isDrawing(tab) && <JsonField label="override_settings" value={options} set={setOptions} />}
            {names.map((name) => (
              <RawField key={name} tab={tab} name={name} />
            ))}
          </SimpleGrid>
        </Accordion.Panel>
      </Accordion.Item>
    </Accordion>
  );
}
