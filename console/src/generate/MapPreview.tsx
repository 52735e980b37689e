/** What a unit's preprocessor makes of its picture, made in the browser: no GPU wakes up for it. */
import { Button, Group, Text } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { MAPS } from "../control/maps";
import UNSHOWN from "../control/unshown.json";
import type { Answer, Order } from "../control/worker";
import type { Unit } from "../params/units";
import { useCapabilities } from "./queries";

interface Props {
  unit: Unit;
  number: number;
  /** The tab's picture, which a unit without one takes. */
  own: Blob | undefined;
}

export function MapPreview({ unit, number, own }: Props) {
  const { t } = useTranslation();
  const [shown, setShown] = useState(false);
  const picture = unit.picture ?? own;
  const files = useCapabilities().data?.controlnet.modules.find(({ name }) => name === unit.module)?.files ?? [];
  if (files.length > 0) {
    return (
      <Text size="sm" c="dimmed">
        {t("unit.byNetwork", { files: files.join(", ") })}
      </Text>
    );
  }
  const reason = (UNSHOWN as Record<string, string>)[unit.module] as "asIs" | "bySeed" | undefined;
  if (reason !== undefined)
    return (
      <Text size="sm" c="dimmed">
        {t(`unit.${reason}`)}
      </Text>
    );
  // A service newer than this page may have more preprocessors; without one the map is the picture.
  if (unit.module === "none" || !(unit.module in MAPS)) return null;
  return (
    <>
      <Group gap="xs">
        <Button
          size="compact-sm"
          variant="default"
          aria-pressed={shown}
          aria-label={t("unit.previewNumber", { number })}
          onClick={() => setShown(!shown)}
        >
          {t("unit.preview")}
        </Button>
        {shown && picture === undefined && (
          <Text size="sm" role="status">
            {t("unit.previewNeeds")}
          </Text>
        )}
      </Group>
      {shown && picture !== undefined && <Map unit={unit} picture={picture} />}
    </>
  );
}

function Map({ unit, picture }: { unit: Unit; picture: Blob }) {
  const { t } = useTranslation();
  const lists = useCapabilities().data?.controlnet;
  const module = lists?.modules.find(({ name }) => name === unit.module);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [size, setSize] = useState<{ width: number; height: number } | null>(null);
  const [failed, setFailed] = useState(false);
  const order = useWorker(({ map }) => {
    setFailed(map === null);
    if (map === null || canvas.current === null) return;
    const { width, height } = map;
    Object.assign(canvas.current, { width, height });
    canvas.current.getContext("bitmaprenderer")!.transferFromImageBitmap(map);
    setSize({ width, height });
  });
  const resolution = unit.processor_res ?? lists?.processor_res.default;
  const a = unit.threshold_a ?? module?.threshold_a.default;
  const b = unit.threshold_b ?? module?.threshold_b.default;
  useEffect(() => {
    if (resolution !== undefined && a !== undefined && b !== undefined) order({ picture, module: unit.module, resolution, a, b });
  }, [order, picture, unit.module, resolution, a, b]);
  const words = size === null ? "" : t("unit.map", size);
  return (
    <figure className="control-map">
      <canvas ref={canvas} className="input-picture" role="img" aria-label={words} hidden={failed || size === null} />
      {failed ? (
        <Text size="sm" role="alert" c="var(--mantine-color-error)">
          {t("unit.previewFailed")}
        </Text>
      ) : (
        <Text component="figcaption" size="xs" c="dimmed">
          {words}
        </Text>
      )}
    </figure>
  );
}

/** Gives an order to the worker; only the answer to the last one is heard. */
function useWorker(hear: (answer: Answer) => void): (order: Omit<Order, "id">) => void {
  const heard = useRef(hear);
  heard.current = hear;
  const [{ order, end }] = useState(() => {
    let worker: Worker | undefined;
    let last = 0;
    return {
      order: (asked: Omit<Order, "id">) => {
        worker ??= new Worker(new URL("../control/worker.ts", import.meta.url), { type: "module" });
        worker.onmessage = ({ data }: MessageEvent<Answer>) => data.id === last && heard.current(data);
        worker.postMessage({ ...asked, id: ++last } satisfies Order);
      },
      end: () => {
        worker?.terminate();
        worker = undefined;
      },
    };
  });
  useEffect(() => end, [end]);
  return order;
}
