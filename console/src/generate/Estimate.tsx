/** In the button what the job would cost; above it how long it would take, and whether a GPU must be woken for it. */
import { Text } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { duration, money } from "../kit/format";
import { isDrawing } from "../params/fields";
import { type Tab, useForm } from "../params/store";
import { useRights } from "../session/rights";
import { estimate } from "./submit";

const SETTLED_MS = 1200;

export function useEstimate(tab: Tab) {
  const { values, native, vae, tagger, checkpoint, endpoint } = useForm();
  const [form] = useDebouncedValue(JSON.stringify({ values, native, vae, tagger, checkpoint, endpoint }), SETTLED_MS);
  const { mayAsk } = useRights();
  const chosen = JSON.parse(form) as Parameters<typeof estimate>[1];
  const asked = useQuery({
    queryKey: ["estimate", tab, form],
    enabled: chosen.checkpoint !== null && isDrawing(tab) && mayAsk("inference:create"),
    queryFn: ({ signal }) => estimate(tab, chosen, signal),
    // The button itself says what is wrong with a request.
    retry: false,
    staleTime: 60_000,
  });
  return asked.data ?? null;
}

/** Part of the button. */
export function Price({ tab }: { tab: Tab }) {
  const { t, i18n } = useTranslation();
  const cost = useEstimate(tab)?.cost_usd;
  if (cost == null) return null;
  return <span className="price">{t("estimate.cost", { cost: money(cost, i18n.language) })}</span>;
}

export function Estimate({ tab }: { tab: Tab }) {
  const { t } = useTranslation();
  const found = useEstimate(tab);
  if (!found) return null;
  const words = [
    found.seconds != null && t("estimate.seconds", { time: duration(found.seconds) }),
    found.wakes_gpu === true &&
      (found.start_seconds == null
        ? t("estimate.wakes")
        : t("estimate.wakesIn", { time: duration(found.start_seconds) })),
  ].filter(Boolean);
  if (words.length === 0) return null;
  return (
    <Text size="sm" mb={4}>
      {words.join(" · ")}
    </Text>
  );
}
