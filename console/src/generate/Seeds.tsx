/** The seed with WebUI's dice and recycling, and one for the next seed. */
import { ActionIcon, Group, SimpleGrid } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useJob } from "../jobs/queries";
import { Icon } from "../kit/Icon";
import { useLast } from "../params/last";
import type { Tab } from "../params/store";
import { NumberField, useField } from "./fields";

export function Seeds({ tab }: { tab: Tab }) {
  const { t } = useTranslation();
  const [seed, setSeed] = useField(tab, "seed");
  const last = useJob(useLast(({ job }) => job)).data?.result?.images[0]?.seed ?? null;
  const buttons = [
    { name: t("generate.randomSeed"), icon: "dice", disabled: false, next: -1 },
    { name: t("generate.reuseSeed"), icon: "recycle", disabled: last === null, next: last },
    { name: t("generate.nextSeed"), icon: "plus", disabled: typeof seed !== "number" || seed < 0, next: Number(seed) + 1 },
  ] as const;
  return (
    <SimpleGrid className="fields" cols={{ base: 2, sm: 4 }} spacing="xs">
      <Group className="two-cells" gap={4} wrap="nowrap" align="flex-end">
        <div className="grow">
          <NumberField tab={tab} name="seed" />
        </div>
        {buttons.map(({ name, icon, disabled, next }) => (
          <ActionIcon
            key={icon}
            variant="default"
            size={36}
            aria-label={name}
            title={name}
            disabled={disabled}
            onClick={() => setSeed(next)}
          >
            <Icon name={icon} />
          </ActionIcon>
        ))}
      </Group>
      <NumberField tab={tab} name="subseed" />
      <NumberField tab={tab} name="subseed_strength" />
    </SimpleGrid>
  );
}
