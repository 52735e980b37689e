/** Size and colour of the brush, and how a mask is shown. */
import { Checkbox, ColorInput, Group, Slider, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { type Kind, LARGEST_BRUSH, useCanvasSettings } from "./settings";

const HEX = /^#[0-9a-f]{6}$/i;
const percent = (value: number) => `${Math.round(value * 100)} %`;

export function Looks({ kind, size }: { kind: Kind; size: number }) {
  const { t } = useTranslation();
  const { color, alpha, recent, maskColor, maskOpacity, unit, wheel, change, setSize } = useCanvasSettings();
  return (
    <>
      <Group gap="md" wrap="wrap">
        <Group gap="xs" className="grow" wrap="nowrap" miw={180}>
          <Text size="sm">{t("canvas.size", { size })}</Text>
          <Slider
            className="grow"
            thumbLabel={t("canvas.sizeLabel")}
            min={1}
            max={LARGEST_BRUSH}
            value={size}
            onChange={(value) => setSize(kind, value)}
            label={null}
          />
        </Group>
        <ColorInput
          aria-label={t(kind === "mask" ? "canvas.maskColor" : "canvas.color")}
          value={kind === "mask" ? maskColor : color}
          onChange={(value) => HEX.test(value) && change(kind === "mask" ? { maskColor: value } : { color: value })}
          format="hex"
          swatches={kind === "color" ? recent : []}
          withEyeDropper={false}
          w={130}
        />
        <Slider
          w={110}
          thumbLabel={t(kind === "mask" ? "canvas.maskOpacity" : "canvas.alpha")}
          min={0.05}
          max={1}
          step={0.05}
          value={kind === "mask" ? maskOpacity : alpha}
          onChange={(value) => change(kind === "mask" ? { maskOpacity: value } : { alpha: value })}
          label={percent}
        />
      </Group>
      <Group gap="md">
        <Checkbox
          size="xs"
          label={t("canvas.screenPixels")}
          checked={unit === "screen"}
          onChange={(event) => change({ unit: event.currentTarget.checked ? "screen" : "picture" })}
        />
        <Checkbox
          size="xs"
          label={t("canvas.wheelPans")}
          checked={wheel === "pan"}
          onChange={(event) => change({ wheel: event.currentTarget.checked ? "pan" : "zoom" })}
        />
        {kind === "mask" && (
          <Text size="xs" c="dimmed">
            {t("canvas.onlyShown")}
          </Text>
        )}
      </Group>
    </>
  );
}
