/** Units of ControlNet: preprocessors and modes come from the service, models are the uploaded ones that fit. */
import { Button, Checkbox, Group, NumberInput, Paper, Select, SimpleGrid, Stack } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { type Tab, useForm } from "../params/store";
import { THRESHOLDS, UNIT_FIELDS, UNIT_NUMBERS, type Unit, isUsed, newUnit } from "../params/units";
import { MapPreview } from "./MapPreview";
import { PictureInput } from "./PictureInput";
import { fits, stem, useCapabilities, useFamily, useModels } from "./queries";

export default function ControlNet({ tab }: { tab: Tab }) {
  const { t } = useTranslation();
  const { units, setUnits, pictures } = useForm();
  const most = useCapabilities().data?.controlnet.max_units ?? 1;
  return (
    <Stack gap="xs">
      {units.map((unit, index) => (
        <UnitForm
          key={unit.id}
          unit={unit}
          number={index + 1}
          own={tab === "txt2img" ? undefined : pictures[tab]}
          onChange={(change) => setUnits(units.map((each) => (each.id === unit.id ? { ...each, ...change } : each)))}
          onRemove={() => setUnits(units.filter((each) => each.id !== unit.id))}
        />
      ))}
      <Group>
        <Button
          size="compact-sm"
          variant="default"
          disabled={units.length >= most}
          onClick={() => setUnits([...units, newUnit(crypto.randomUUID())])}
        >
          {t("unit.add")}
        </Button>
      </Group>
    </Stack>
  );
}

interface Props {
  unit: Unit;
  number: number;
  /** The tab's picture, which a unit without one takes. */
  own: Blob | undefined;
  onChange: (change: Partial<Unit>) => void;
  onRemove: () => void;
}

function UnitForm({ unit, number, own, onChange, onRemove }: Props) {
  const { t } = useTranslation();
  const lists = useCapabilities().data?.controlnet;
  const models = useFitting();
  const name = t("unit.number", { number });
  return (
    <Paper withBorder p="xs" role="group" aria-label={name}>
      <Stack gap="xs">
        <Group justify="space-between">
          <Checkbox label={name} checked={unit.enabled} onChange={(event) => onChange({ enabled: event.currentTarget.checked })} />
          <Button size="compact-sm" variant="default" onClick={onRemove} aria-label={t("unit.removeNumber", { number })}>
            {t("picture.remove")}
          </Button>
        </Group>
        <PictureInput label={t("unit.picture")} picture={unit.picture ?? undefined} onPicture={(picture) => onChange({ picture })} />
        <SimpleGrid className="fields" cols={{ base: 1, xs: 2 }} spacing="xs">
          <Select
            label={t("unit.module")}
            data={lists?.modules.map((module) => module.name) ?? [unit.module]}
            value={unit.module}
            onChange={(module) => onChange({ module: module ?? unit.module, threshold_a: null, threshold_b: null })}
            allowDeselect={false}
          />
          <Select
            label={t("unit.model")}
            data={unit.model !== null && !models.includes(unit.model) ? [unit.model, ...models] : models}
            value={unit.model}
            onChange={(model) => onChange({ model })}
            searchable
            nothingFoundMessage={t("unit.noModels")}
          />
        </SimpleGrid>
        <Thresholds unit={unit} onChange={onChange} />
        <MapPreview unit={unit} number={number} own={own} />
        <SimpleGrid className="fields" cols={{ base: 2, sm: 3 }} spacing="xs">
          {UNIT_NUMBERS.map((field) => (
            <NumberInput
              key={field}
              label={t(`unit.${field}`)}
              value={unit[field]}
              onChange={(value) => typeof value === "number" && onChange({ [field]: value })}
              min={UNIT_FIELDS[field].minimum}
              max={UNIT_FIELDS[field].maximum}
              step={0.05}
              clampBehavior="blur"
            />
          ))}
        </SimpleGrid>
        <SimpleGrid className="fields" cols={{ base: 1, xs: 2 }} spacing="xs">
          <Select
            label={t("unit.control_mode")}
            data={lists?.control_modes ?? []}
            value={unit.control_mode}
            onChange={(mode) => onChange({ control_mode: mode ?? unit.control_mode })}
            allowDeselect={false}
          />
          <Select
            label={t("unit.resize_mode")}
            data={lists?.resize_modes ?? []}
            value={unit.resize_mode}
            onChange={(mode) => onChange({ resize_mode: mode ?? unit.resize_mode })}
            allowDeselect={false}
          />
        </SimpleGrid>
      </Stack>
    </Paper>
  );
}

/** Those that the preprocessor has. */
function Thresholds({ unit, onChange }: Pick<Props, "unit" | "onChange">) {
  const { t } = useTranslation();
  const lists = useCapabilities().data?.controlnet;
  const module = lists?.modules.find(({ name }) => name === unit.module);
  if (!lists || !module || unit.module === "none") return null;
  const ranges = { threshold_a: module.threshold_a, threshold_b: module.threshold_b, processor_res: lists.processor_res };
  return (
    <SimpleGrid className="fields" cols={{ base: 2, sm: 3 }} spacing="xs">
      {THRESHOLDS.filter((name) => isUsed(ranges[name])).map((name) => (
        <NumberInput
          key={name}
          label={t(`unit.${name}`)}
          value={unit[name] ?? ranges[name].default}
          onChange={(value) => onChange({ [name]: typeof value === "number" ? value : null })}
          min={ranges[name].minimum}
          max={ranges[name].maximum}
          allowDecimal={name !== "processor_res"}
          clampBehavior="blur"
        />
      ))}
    </SimpleGrid>
  );
}

/** Names of the models of the checkpoint's family; all of them while no checkpoint is chosen. */
function useFitting(): string[] {
  const family = useFamily();
  return (useModels("controlnet").data ?? []).filter((asset) => fits(asset, family)).map(({ name }) => stem(name));
}
