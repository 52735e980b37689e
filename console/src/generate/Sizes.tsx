/** Width and height: swapped, locked to their ratio, or taken from the tab's picture. */
import { ActionIcon, Group } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Icon } from "../kit/Icon";
import { boundsOf } from "../params/fields";
import { type Tab, useForm } from "../params/store";
import { NumberField, useField } from "./fields";

/** Models draw in blocks of so many pixels. */
const BLOCK = 8;

export function Sizes({ tab }: { tab: Tab }) {
  const { t } = useTranslation();
  const [width, setWidth] = useField(tab, "width");
  const [height, setHeight] = useField(tab, "height");
  const picture = useForm(({ pictures }) => (tab === "txt2img" ? undefined : pictures[tab]));
  const [ratio, setRatio] = useState<number | null>(null);
  const within = (pixels: number) => {
    const { minimum = BLOCK, maximum = pixels } = boundsOf(tab, "width");
    return Math.min(maximum, Math.max(minimum, Math.round(pixels / BLOCK) * BLOCK));
  };
  const swap = () => {
    setWidth(height);
    setHeight(width);
    setRatio(ratio && 1 / ratio);
  };
  const takeFrom = async (file: Blob) => {
    const bitmap = await createImageBitmap(file);
    setWidth(within(bitmap.width));
    setHeight(within(bitmap.height));
    setRatio(ratio && bitmap.width / bitmap.height);
    bitmap.close();
  };
  return (
    <Group className="two-cells" gap={4} wrap="nowrap" align="flex-end">
      <div className="grow">
        <NumberField tab={tab} name="width" step={BLOCK} onSet={(value) => ratio && setHeight(within(value / ratio))} />
      </div>
      <div className="grow">
        <NumberField tab={tab} name="height" step={BLOCK} onSet={(value) => ratio && setWidth(within(value * ratio))} />
      </div>
      <SizeButton name={t("generate.swap")} icon="swap" onClick={swap} />
      <SizeButton
        name={t("generate.lockRatio")}
        icon="lock"
        pressed={ratio !== null}
        onClick={() => setRatio(ratio === null ? Number(width) / Number(height) : null)}
      />
      {picture && <SizeButton name={t("generate.pictureSize")} icon="ruler" onClick={() => void takeFrom(picture)} />}
    </Group>
  );
}

interface ButtonProps {
  name: string;
  icon: "swap" | "lock" | "ruler";
  pressed?: boolean;
  onClick: () => void;
}

function SizeButton({ name, icon, pressed, onClick }: ButtonProps) {
  return (
    <ActionIcon
      variant={pressed ? "filled" : "default"}
      size={30}
      mb={3}
      aria-label={name}
      aria-pressed={pressed}
      title={name}
      onClick={onClick}
    >
      <Icon name={icon} size={16} />
    </ActionIcon>
  );
}
