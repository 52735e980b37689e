/** The script Soft Inpainting with WebUI's sliders as numbers. */
import { Checkbox, NumberInput, SimpleGrid, Stack } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type en from "../locales/en.json";
import { SLIDERS, type SoftInpainting as Settings, readSoftInpainting, withSoftInpainting } from "../params/softInpainting";
import type { Tab } from "../params/store";
import { useField } from "./fields";

export default function SoftInpainting({ tab }: { tab: Tab }) {
  const { t } = useTranslation();
  const [scripts, set] = useField(tab, "alwayson_scripts");
  const { on, numbers } = readSoftInpainting(scripts);
  const change = (settings: Partial<Settings>) => set(withSoftInpainting(scripts, { on, numbers, ...settings }));
  return (
    <Stack gap="xs">
      <Checkbox label={t("soft.on")} checked={on} onChange={(event) => change({ on: event.currentTarget.checked })} />
      {on && (
        <SimpleGrid className="fields" cols={{ base: 2, sm: 3 }} spacing="xs">
          {SLIDERS.map((slider, index) => (
            <NumberInput
              key={slider.name}
              label={t(`soft.${slider.name as keyof typeof en.soft}`)}
              value={numbers[index]}
              onChange={(next) => typeof next === "number" && change({ numbers: numbers.with(index, next) })}
              min={slider.minimum}
              max={slider.maximum}
              step={slider.step}
              clampBehavior="blur"
            />
          ))}
        </SimpleGrid>
      )}
    </Stack>
  );
}
