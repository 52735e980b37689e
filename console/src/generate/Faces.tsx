/** Restores the faces of what is drawn: WebUI's field and its two options as one choice and one number. */
import { NumberInput, Select, SimpleGrid } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Tab, Values } from "../params/store";
import { CODEFORMER, useFaceRestorers } from "./faceRestorers";
import { useField } from "./fields";

const MODEL = "face_restoration_model";
const WEIGHT = "code_former_weight";
const OFF = "off";
/** WebUI's default. */
const HALF = 0.5;

export default function Faces({ tab }: { tab: Tab }) {
  const { t } = useTranslation();
  const [on, setOn] = useField(tab, "restore_faces");
  const [options, setOptions] = useField(tab, "override_settings");
  const { [MODEL]: model = CODEFORMER, [WEIGHT]: weight = HALF, ...others } = (options ?? {}) as Values;
  const chosen = on === true ? String(model) : null;
  const restorers = useFaceRestorers(chosen);

  function choose(name: string) {
    setOn(name === OFF ? null : true);
    setOptions(name === OFF ? others : { ...others, [MODEL]: name, ...(name === CODEFORMER ? { [WEIGHT]: weight } : {}) });
  }
  return (
    <SimpleGrid className="fields" cols={{ base: 2, sm: 3 }} spacing="xs">
      <Select
        label={t("field.restore_faces")}
        data={[{ value: OFF, label: t("generate.facesOff") }, ...restorers]}
        value={chosen ?? OFF}
        onChange={(name) => choose(name ?? OFF)}
        allowDeselect={false}
      />
      {chosen === CODEFORMER && (
        <NumberInput
          label={t("field.code_former_weight")}
          value={typeof weight === "number" ? weight : HALF}
          onChange={(next) => typeof next === "number" && setOptions({ ...others, [MODEL]: CODEFORMER, [WEIGHT]: next })}
          min={0}
          max={1}
          step={0.05}
          clampBehavior="blur"
        />
      )}
    </SimpleGrid>
  );
}
