/** A job's status as a word; the colour only repeats it. */
import { Badge, ColorSwatch } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Schemas } from "../api/client";

const COLORS: Record<Schemas["JobStatus"], string> = {
  created: "gray",
  queued: "gray",
  running: "indigo",
  succeeded: "green",
  failed: "red",
  canceled: "gray",
  expired: "orange",
};

export function StatusBadge({ status }: { status: Schemas["JobStatus"] }) {
  const { t } = useTranslation();
  return (
    <Badge variant="default" tt="none" className="badge" leftSection={<ColorSwatch size={8} color={`var(--mantine-color-${COLORS[status]}-6)`} withShadow={false} />}>
      {t(`status.${status}`)}
    </Badge>
  );
}
