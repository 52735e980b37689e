/** The picture before and after: a slider over both, or side by side. */
import { Button, Group, SegmentedControl, Slider, Stack, Title } from "@mantine/core";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";

const WAYS = ["slider", "side"] as const;

export default function Compare({ before, after }: { before: Blob; after: string }) {
  const { t } = useTranslation();
  const [way, setWay] = useState<(typeof WAYS)[number]>("slider");
  const [swapped, setSwapped] = useState(false);
  const [part, setPart] = useState(50);
  const source = useAddress(before);
  const pictures = [
    { url: source, name: t("compare.before") },
    { url: after, name: t("compare.after") },
  ];
  const [left, right] = (swapped ? pictures.toReversed() : pictures) as [(typeof pictures)[0], (typeof pictures)[0]];
  return (
    <Stack gap="xs" role="group" aria-label={t("compare.title")}>
      <Group justify="space-between">
        <Title order={3} size="h5">
          {t("compare.title")}
        </Title>
        <Group gap="xs">
          <SegmentedControl
            size="xs"
            aria-label={t("compare.way")}
            data={WAYS.map((value) => ({ value, label: t(`compare.${value}`) }))}
            value={way}
            onChange={(chosen) => setWay(chosen as typeof way)}
          />
          <Button size="compact-sm" variant="default" aria-pressed={swapped} onClick={() => setSwapped(!swapped)}>
            {t("compare.swap")}
          </Button>
        </Group>
      </Group>
      {way === "side" ? (
        <Group gap="xs" grow align="flex-start">
          {[left, right].map(({ url, name }) => (
            <img key={name} className="compare-side" src={url} alt={name} />
          ))}
        </Group>
      ) : (
        <>
          <div className="compare">
            <img src={right.url} alt={right.name} />
            <img src={left.url} alt={left.name} style={{ clipPath: `inset(0 ${100 - part}% 0 0)` }} />
          </div>
          <Slider value={part} onChange={setPart} thumbLabel={t("compare.part")} label={null} />
        </>
      )}
    </Stack>
  );
}

function useAddress(picture: Blob): string | undefined {
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    const made = URL.createObjectURL(picture);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [picture]);
  return url;
}
