/** The Extras tab: how much larger, by which upscalers, and how much of the restored faces is seen. */
import { SimpleGrid, Stack } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Tab } from "../params/store";
import { CODEFORMER, useFaceRestorers } from "./faceRestorers";
import { CheckField, ChoiceField, IndexField, NumberField, useField } from "./fields";
import { stem, useCapabilities, useModels } from "./queries";

export default function Extras({ tab }: { tab: Tab }) {
  const { t } = useTranslation();
  const builtIn = useCapabilities().data?.upscalers.filter(({ file }) => file === null) ?? [];
  const uploaded = useModels("upscaler").data ?? [];
  const upscalers = [...builtIn.map(({ name }) => name), ...uploaded.map(({ name }) => stem(name))];
  const [mode] = useField(tab, "resize_mode");
  const [used] = useField(tab, "codeformer_visibility");
  const restorers = useFaceRestorers(used === 0 ? null : CODEFORMER);
  return (
    <Stack gap="xs">
      <SimpleGrid className="fields" cols={{ base: 2, sm: 3 }} spacing="xs">
        <IndexField tab={tab} name="resize_mode" words={[t("resize.by"), t("resize.to")]} />
        {mode === 1 ? (
          <>
            <NumberField tab={tab} name="upscaling_resize_w" step={8} />
            <NumberField tab={tab} name="upscaling_resize_h" step={8} />
          </>
        ) : (
          <NumberField tab={tab} name="upscaling_resize" />
        )}
        <ChoiceField tab={tab} name="upscaler_1" data={["None", ...upscalers.filter((name) => name !== "None")]} />
        <ChoiceField tab={tab} name="upscaler_2" data={["None", ...upscalers.filter((name) => name !== "None")]} />
        <NumberField tab={tab} name="extras_upscaler_2_visibility" />
      </SimpleGrid>
      {mode === 1 && <CheckField tab={tab} name="upscaling_crop" />}
      <SimpleGrid className="fields" cols={{ base: 2, sm: 3 }} spacing="xs">
        <NumberField tab={tab} name="gfpgan_visibility" />
        {restorers.includes(CODEFORMER) && (
          <>
            <NumberField tab={tab} name="codeformer_visibility" />
            <NumberField tab={tab} name="codeformer_weight" />
          </>
        )}
      </SimpleGrid>
    </Stack>
  );
}
