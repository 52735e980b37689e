/** The form's groups of fields, in WebUI's order. */
import { Group, Select, SimpleGrid, Stack } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { boundsOf } from "../params/fields";
import type { Tab } from "../params/store";
import { CheckField, ChoiceField, IndexField, NumberField, useField } from "./fields";
import { PromptField } from "./PromptField";
import { Seeds } from "./Seeds";
import { Sizes } from "./Sizes";
import { stem, useCapabilities, useModels } from "./queries";

interface Props {
  tab: Tab;
}

export function Prompt({ tab }: Props) {
  return (
    <>
      <PromptField tab={tab} name="prompt" rows={3} />
      <PromptField tab={tab} name="negative_prompt" />
    </>
  );
}

export function Sampling({ tab }: Props) {
  const { t } = useTranslation();
  const lists = useCapabilities().data;
  return (
    <Stack gap="xs">
      <SimpleGrid className="fields" cols={{ base: 2, sm: 4 }} spacing="xs">
        <ChoiceField
          tab={tab}
          name="sampler_name"
          data={lists?.samplers.map(({ name }) => name) ?? []}
          placeholder={t("generate.defaultSampler")}
        />
        <ChoiceField
          tab={tab}
          name="scheduler"
          data={lists?.schedulers.map(({ label }) => label) ?? []}
          placeholder={t("generate.automatic")}
        />
        <NumberField tab={tab} name="steps" />
        <NumberField tab={tab} name="cfg_scale" step={0.5} />
      </SimpleGrid>
      <SimpleGrid className="fields" cols={{ base: 2, sm: 4 }} spacing="xs">
        <Sizes tab={tab} />
        <NumberField tab={tab} name="n_iter" />
        <NumberField tab={tab} name="batch_size" />
      </SimpleGrid>
      <Seeds tab={tab} />
    </Stack>
  );
}

export function Hires({ tab }: Props) {
  const lists = useCapabilities().data;
  const [on] = useField(tab, "enable_hr");
  return (
    <Stack gap="xs">
      <Group>
        <CheckField tab={tab} name="enable_hr" />
        <CheckField tab={tab} name="tiling" off={null} />
      </Group>
      {on === true && (
        <>
          <SimpleGrid className="fields" cols={{ base: 2, sm: 4 }} spacing="xs">
            <ChoiceField
              tab={tab}
              name="hr_upscaler"
              data={[...(lists?.latent_upscale_modes ?? []), ...(lists?.upscalers.map(({ name }) => name) ?? [])]}
            />
            <NumberField tab={tab} name="hr_second_pass_steps" />
            <NumberField tab={tab} name="denoising_strength" />
            <NumberField tab={tab} name="hr_scale" />
            <NumberField tab={tab} name="hr_resize_x" step={8} />
            <NumberField tab={tab} name="hr_resize_y" step={8} />
            <ChoiceField tab={tab} name="hr_sampler_name" data={lists?.samplers.map(({ name }) => name) ?? []} />
            <ChoiceField tab={tab} name="hr_scheduler" data={lists?.schedulers.map(({ label }) => label) ?? []} />
          </SimpleGrid>
          <PromptField tab={tab} name="hr_prompt" />
          <PromptField tab={tab} name="hr_negative_prompt" />
        </>
      )}
    </Stack>
  );
}

/** A second checkpoint that draws the last steps. */
export function Refiner({ tab }: Props) {
  const checkpoints = useModels("checkpoint").data ?? [];
  const [chosen] = useField(tab, "refiner_checkpoint");
  return (
    <SimpleGrid className="fields" cols={{ base: 2, sm: 3 }} spacing="xs">
      <ChoiceField tab={tab} name="refiner_checkpoint" data={checkpoints.map(({ name }) => stem(name))} />
      {chosen !== null && <NumberField tab={tab} name="refiner_switch_at" />}
    </SimpleGrid>
  );
}

export function Img2Img({ tab }: Props) {
  const { t } = useTranslation();
  return (
    <SimpleGrid className="fields" cols={{ base: 2, sm: 3 }} spacing="xs">
      <NumberField tab={tab} name="denoising_strength" />
      <IndexField
        tab={tab}
        name="resize_mode"
        words={[t("resize.just"), t("resize.crop"), t("resize.fill"), t("resize.latent")]}
      />
      <NumberField tab={tab} name="image_cfg_scale" />
    </SimpleGrid>
  );
}

export function Inpaint({ tab }: Props) {
  const { t } = useTranslation();
  const [onlyMasked, set] = useField(tab, "inpaint_full_res");
  return (
    <SimpleGrid className="fields" cols={{ base: 2, sm: 3 }} spacing="xs">
      <NumberField tab={tab} name="mask_blur" placeholder={String(boundsOf(tab, "mask_blur_x").default)} />
      <IndexField tab={tab} name="inpainting_mask_invert" words={[t("inpaint.masked"), t("inpaint.notMasked")]} />
      <IndexField
        tab={tab}
        name="inpainting_fill"
        words={[t("inpaint.fill"), t("inpaint.original"), t("inpaint.noise"), t("inpaint.nothing")]}
      />
      <Select
        label={t("field.inpaint_full_res")}
        data={[
          { value: "whole", label: t("inpaint.whole") },
          { value: "masked", label: t("inpaint.onlyMasked") },
        ]}
        value={onlyMasked === true ? "masked" : "whole"}
        onChange={(value) => set(value === "masked")}
        allowDeselect={false}
      />
      <NumberField tab={tab} name="inpaint_full_res_padding" step={4} />
    </SimpleGrid>
  );
}
