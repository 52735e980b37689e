/** On every page: whether a GPU is awake, and so costs money, and when it will sleep. */
import { ColorSwatch, Text, UnstyledButton } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import type { Schemas } from "../api/client";
import { useEndpoints } from "../generate/queries";
import { duration } from "./format";
import { useNow } from "./useNow";

type Endpoint = Schemas["EndpointView"];

export function GpuLamp() {
  const { t } = useTranslation();
  const endpoints = useEndpoints();
  const awake = endpoints.data?.endpoints.filter(({ instance_count }) => instance_count > 0) ?? [];
  if (endpoints.data === undefined || endpoints.data.endpoints.length === 0) return null;
  const count = awake.reduce((sum, { instance_count }) => sum + instance_count, 0);
  return (
    <UnstyledButton component={Link} href="/endpoints" className="lamp">
      <ColorSwatch
        size={10}
        withShadow={false}
        color={count > 0 ? "var(--mantine-color-green-6)" : "var(--mantine-color-gray-6)"}
      />
      <Text size="sm" span truncate className="lamp-words">
        {count > 0 ? t("lamp.awake", { count }) : t("lamp.asleep")}
        {count > 0 && <Until endpoints={awake} />}
      </Text>
    </UnstyledButton>
  );
}

/** The latest of the moments at which the endpoints will sleep; nothing while one has jobs. */
function Until({ endpoints }: { endpoints: Endpoint[] }) {
  const { t } = useTranslation();
  const moments = endpoints.map(({ sleeps_at }) => sleeps_at);
  if (!moments.every((moment) => moment != null)) return null;
  const last = moments.toSorted().at(-1)!;
  return (
    <>
      {t("lamp.and")}
      <SleepsIn at={last} />
    </>
  );
}

/** `sleeps in 4:10`, once a second. Its alarm looks once a minute, so it may be late. */
export function SleepsIn({ at }: { at: string }) {
  const { t } = useTranslation();
  const left = (Date.parse(at) - useNow()) / 1000;
  return <>{left > 0 ? t("lamp.sleepsIn", { time: duration(left) }) : t("lamp.sleepsSoon")}</>;
}
