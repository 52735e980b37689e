/** The tools beside the canvas; every one of them also has a key. */
import { ActionIcon, Button, ColorInput, FileButton, Group, SegmentedControl, Slider, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { download } from "../jobs/saving";
import { Icon } from "../kit/Icon";
import type { Brush } from "./CanvasEditor";
import { maskFile } from "./export";
import { type Drawing, add, redo, undo } from "./strokes";

interface Props {
  kind: "mask" | "color";
  brush: Brush;
  onBrush: (brush: Brush) => void;
  picture: Blob;
  drawing: Drawing;
  onDraw: (change: (drawing: Drawing) => Drawing) => void;
  onFit: () => void;
}

export function Toolbar({ kind, brush, onBrush, picture, drawing, onDraw, onFit }: Props) {
  const { t } = useTranslation();
  return (
    <Stack gap={6}>
      <Group gap="xs">
        <SegmentedControl
          size="xs"
          aria-label={t("canvas.tool")}
          data={[
            { value: "brush", label: t("canvas.brush") },
            { value: "eraser", label: t("canvas.eraser") },
          ]}
          value={brush.erase ? "eraser" : "brush"}
          onChange={(tool) => onBrush({ ...brush, erase: tool === "eraser" })}
        />
        <ActionIcon
          variant="default"
          aria-label={t("canvas.undo")}
          disabled={drawing.steps.length === 0}
          onClick={() => onDraw(undo)}
        >
          <Icon name="undo" />
        </ActionIcon>
        <ActionIcon
          variant="default"
          aria-label={t("canvas.redo")}
          disabled={drawing.undone.length === 0}
          onClick={() => onDraw(redo)}
        >
          <Icon name="redo" />
        </ActionIcon>
        <Button size="compact-sm" variant="default" onClick={() => onDraw((old) => add(old, { kind: "clear" }))}>
          {t("canvas.clear")}
        </Button>
        {kind === "mask" && (
          <>
            <Button size="compact-sm" variant="default" onClick={() => onDraw((old) => add(old, { kind: "invert" }))}>
              {t("canvas.invert")}
            </Button>
            <FileButton
              accept="image/*"
              onChange={(file) => file && onDraw((old) => add(old, { kind: "load", file }))}
              inputProps={{ "aria-label": t("canvas.load") }}
            >
              {(props) => (
                <Button {...props} size="compact-sm" variant="default">
                  {t("canvas.load")}
                </Button>
              )}
            </FileButton>
            <Button
              size="compact-sm"
              variant="default"
              onClick={() => void maskFile(picture, drawing).then((mask) => download(mask, "mask.png"))}
            >
              {t("canvas.save")}
            </Button>
          </>
        )}
        <Button size="compact-sm" variant="default" onClick={onFit}>
          {t("canvas.fit")}
        </Button>
      </Group>
      <Group gap="md" wrap="wrap">
        <Group gap="xs" className="grow" wrap="nowrap" miw={180}>
          <Text size="sm">{t("canvas.size", { size: brush.size })}</Text>
          <Slider
            className="grow"
            thumbLabel={t("canvas.sizeLabel")}
            min={1}
            max={500}
            value={brush.size}
            onChange={(size) => onBrush({ ...brush, size })}
            label={null}
          />
        </Group>
        {kind === "color" && (
          <>
            <ColorInput
              aria-label={t("canvas.color")}
              value={brush.color}
              onChange={(color) => /^#[0-9a-f]{6}$/i.test(color) && onBrush({ ...brush, color })}
              format="hex"
              withEyeDropper={false}
              w={130}
            />
            <Slider
              w={110}
              thumbLabel={t("canvas.alpha")}
              min={0.05}
              max={1}
              step={0.05}
              value={brush.alpha}
              onChange={(alpha) => onBrush({ ...brush, alpha })}
              label={(value) => `${Math.round(value * 100)} %`}
            />
          </>
        )}
      </Group>
    </Stack>
  );
}
