/** A job's pictures over the whole window: zoom by wheel and keys, pan by dragging, the arrows walk. */
import { ActionIcon, Group, Modal, Text } from "@mantine/core";
import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Schemas } from "../api/client";
import { type View, fit, pan, zoom } from "../canvas/view";
import { Icon } from "../kit/Icon";

const STEP = 1.25;
const PAN = 60;

interface Props {
  images: Schemas["ImageView"][];
  shown: number;
  onShow: (index: number) => void;
  onClose: () => void;
}

export function Viewer({ images, shown, onShow, onClose }: Props) {
  const { t } = useTranslation();
  const image = images[shown]!;
  const room = useRef<HTMLDivElement>(null);
  const [view, setView] = useState<View | null>(null);
  const whole = () => room.current && setView(fit(image.width, image.height, room.current.getBoundingClientRect()));
  const actual = () => view && zoomAtMiddle(1 / view.scale);
  const zoomAtMiddle = (factor: number) => {
    const box = room.current?.getBoundingClientRect();
    if (box) setView((before) => before && zoom(before, factor, box.width / 2, box.height / 2));
  };
  useEffect(() => void whole(), [shown]);
  const walk = (by: number) => onShow((shown + by + images.length) % images.length);
  // React's own wheel listener is passive and cannot keep the page still.
  useEffect(() => {
    const area = room.current;
    const turn = (event: WheelEvent) => {
      event.preventDefault();
      const box = area!.getBoundingClientRect();
      const factor = event.deltaY < 0 ? STEP : 1 / STEP;
      setView((before) => before && zoom(before, factor, event.clientX - box.left, event.clientY - box.top));
    };
    area?.addEventListener("wheel", turn, { passive: false });
    return () => area?.removeEventListener("wheel", turn);
  }, []);
  const keys: Record<string, () => unknown> = {
    "+": () => zoomAtMiddle(STEP),
    "=": () => zoomAtMiddle(STEP),
    "-": () => zoomAtMiddle(1 / STEP),
    "0": whole,
    "1": actual,
    ArrowRight: () => walk(1),
    ArrowLeft: () => walk(-1),
    ArrowUp: () => setView((before) => before && pan(before, 0, PAN)),
    ArrowDown: () => setView((before) => before && pan(before, 0, -PAN)),
  };
  const press = (event: KeyboardEvent) => {
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act();
  };
  const drag = (event: PointerEvent) => {
    if (event.buttons !== 0) setView((before) => before && pan(before, event.movementX, event.movementY));
  };
  const name = t("jobs.picture", { number: shown + 1, count: images.length });
  return (
    <Modal
      opened
      onClose={onClose}
      fullScreen
      title={name}
      transitionProps={{ duration: 0 }}
      closeButtonProps={{ "aria-label": t("jobs.close") }}
      classNames={{ body: "viewer-body", content: "viewer-content" }}
    >
      <div
        ref={room}
        className="viewer"
        role="application"
        aria-label={t("viewer.help")}
        aria-roledescription={t("viewer.role")}
        tabIndex={0}
        data-autofocus
        onKeyDown={press}
        onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={drag}
        onDoubleClick={whole}
      >
        <img
          src={image.url}
          alt={name}
          draggable={false}
          onLoad={whole}
          width={image.width}
          height={image.height}
          className="viewer-picture"
          data-large={view !== null && view.scale >= 2}
          style={view ? { transform: `translate(${view.x}px, ${view.y}px) scale(${view.scale})` } : { opacity: 0 }}
        />
      </div>
      <Group justify="center" gap="xs" p={6}>
        {images.length > 1 && <Tool name="previous" icon="left" onClick={() => walk(-1)} />}
        <Tool name="out" icon="minus" onClick={() => zoomAtMiddle(1 / STEP)} />
        <Text size="sm" w={56} ta="center">
          {view && Math.round(100 * view.scale)} %
        </Text>
        <Tool name="in" icon="plus" onClick={() => zoomAtMiddle(STEP)} />
        <Tool name="fit" icon="fit" onClick={whole} />
        {images.length > 1 && <Tool name="next" icon="right" onClick={() => walk(1)} />}
      </Group>
    </Modal>
  );
}

function Tool({ name, icon, onClick }: { name: "previous" | "next" | "in" | "out" | "fit"; icon: "left" | "right" | "plus" | "minus" | "fit"; onClick: () => void }) {
  const { t } = useTranslation();
  return (
    <ActionIcon variant="default" size="lg" aria-label={t(`viewer.${name}`)} onClick={onClick}>
      <Icon name={icon} />
    </ActionIcon>
  );
}
