/** The tools above the canvas; every one of them also has a key. */
import { ActionIcon, Button, FileButton, Group, SegmentedControl, Stack } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { download } from "../kit/download";
import { Icon } from "../kit/Icon";
import { Looks } from "./Looks";
import { maskFile } from "./export";
import type { Kind } from "./settings";
import { type Drawing, add, redo, undo } from "./strokes";
import type { Tool } from "./usePointers";
import { fileInput } from "../kit/fileInput";

interface Props {
  kind: Kind;
  tool: Tool;
  onTool: (tool: Tool) => void;
  /** Of the brush. */
  size: number;
  picture: Blob;
  drawing: Drawing;
  onDraw: (change: (drawing: Drawing) => Drawing) => void;
  hidden: boolean;
  onHide: (hidden: boolean) => void;
  full: boolean;
  onFull: (full: boolean) => void;
  onFit: () => void;
}

const TOOLS: Record<Kind, Tool[]> = {
  mask: ["brush", "eraser", "rectangle", "lasso"],
  color: ["brush", "eraser", "rectangle", "lasso", "picker"],
};

export function Toolbar({ kind, tool, onTool, size, picture, drawing, onDraw, hidden, onHide, full, onFull, onFit }: Props) {
  const { t } = useTranslation();
  const small = { size: "compact-sm", variant: "default" } as const;
  return (
    <Stack gap={6} mb={6}>
      <Group gap="xs">
        <SegmentedControl
          size="xs"
          aria-label={t("canvas.tool")}
          data={TOOLS[kind].map((value) => ({ value, label: t(`canvas.${value}`) }))}
          value={tool}
          onChange={(chosen) => onTool(chosen as Tool)}
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
        <Button {...small} onClick={() => onDraw((old) => add(old, { kind: "clear" }))}>
          {t("canvas.clear")}
        </Button>
        {kind === "mask" && <MaskFile picture={picture} drawing={drawing} onDraw={onDraw} />}
        <Button {...small} onClick={onFit}>
          {t("canvas.fit")}
        </Button>
        <Button {...small} aria-pressed={hidden} onClick={() => onHide(!hidden)}>
          {t("canvas.original")}
        </Button>
        <Button {...small} aria-pressed={full} onClick={() => onFull(!full)}>
          {t(full ? "canvas.leaveFull" : "canvas.full")}
        </Button>
      </Group>
      <Looks kind={kind} size={size} />
    </Stack>
  );
}

function MaskFile({ picture, drawing, onDraw }: Pick<Props, "picture" | "drawing" | "onDraw">) {
  const { t } = useTranslation();
  const small = { size: "compact-sm", variant: "default" } as const;
  return (
    <>
      <Button {...small} onClick={() => onDraw((old) => add(old, { kind: "invert" }))}>
        {t("canvas.invert")}
      </Button>
      <FileButton
        accept="image/*"
        onChange={(file) => file && onDraw((old) => add(old, { kind: "load", file }))}
        inputProps={fileInput(t("canvas.load"))}
      >
        {(props) => (
          <Button {...props} {...small}>
            {t("canvas.load")}
          </Button>
        )}
      </FileButton>
      <Button {...small} onClick={() => void maskFile(picture, drawing).then((mask) => download(mask, "mask.png"))}>
        {t("canvas.save")}
      </Button>
    </>
  );
}
