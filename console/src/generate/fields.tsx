/** Inputs for fields of the contract: bounds and defaults come from its schema, the names are WebUI's. */
import { Checkbox, NumberInput, Select, Textarea } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type en from "../locales/en.json";
import { boundsOf, defaultOf } from "../params/fields";
import { type Tab, useForm } from "../params/store";

export type FieldName = keyof typeof en.field;

/** The value as set, else its default. */
export function useField(tab: Tab, name: string): [unknown, (value: unknown) => void] {
  const set = useForm((form) => form.set);
  const own = useForm((form) => form.values[name]);
  const native = useForm((form) => form.native);
  return [own ?? defaultOf(tab, name, native) ?? null, (value) => set(name, value)];
}

interface Props {
  tab: Tab;
  name: FieldName;
}

interface NumberProps extends Props {
  step?: number;
  /** Of an empty field. */
  placeholder?: string;
  /** Hears of the numbers that the reader enters. */
  onSet?: (value: number) => void;
}

export function NumberField({ tab, name, step, placeholder, onSet }: NumberProps) {
  const { t } = useTranslation();
  const [value, set] = useField(tab, name);
  const { type, minimum, maximum, exclusiveMinimum } = boundsOf(tab, name);
  const whole = type === "integer";
  return (
    <NumberInput
      label={t(`field.${name}`)}
      value={typeof value === "number" ? value : ""}
      placeholder={placeholder}
      onChange={(next) => {
        set(typeof next === "number" ? next : null);
        if (typeof next === "number" && next !== value) onSet?.(next);
      }}
      min={minimum ?? exclusiveMinimum}
      max={maximum}
      step={step ?? (whole ? 1 : 0.05)}
      allowDecimal={!whole}
      clampBehavior="blur"
    />
  );
}

export function CheckField({ tab, name, on = true, off = false }: Props & { on?: unknown; off?: unknown }) {
  const { t } = useTranslation();
  const [value, set] = useField(tab, name);
  return (
    <Checkbox
      label={t(`field.${name}`)}
      checked={value === on}
      onChange={(event) => set(event.currentTarget.checked ? on : off)}
    />
  );
}

/** One of a list; the first entry may stand for "as the contract does". */
export function ChoiceField({ tab, name, data, placeholder }: Props & { data: string[]; placeholder?: string }) {
  const { t } = useTranslation();
  const [value, set] = useField(tab, name);
  const chosen = typeof value === "string" ? value : null;
  return (
    <Select
      label={t(`field.${name}`)}
      data={chosen !== null && !data.includes(chosen) ? [chosen, ...data] : data}
      value={chosen}
      onChange={set}
      placeholder={placeholder}
      searchable
      clearable={boundsOf(tab, name).default == null}
      clearButtonProps={{ "aria-label": t("generate.clear", { name: t(`field.${name}`) }) }}
      nothingFoundMessage={t("generate.nothingFound")}
    />
  );
}

/** A whole number that stands for a word: 0 is the first of `words`. */
export function IndexField({ tab, name, words }: Props & { words: string[] }) {
  const { t } = useTranslation();
  const [value, set] = useField(tab, name);
  return (
    <Select
      label={t(`field.${name}`)}
      data={words.map((label, index) => ({ value: String(index), label }))}
      value={String(value ?? 0)}
      onChange={(next) => set(Number(next))}
      allowDeselect={false}
    />
  );
}

/** A field that the form has no place for, under its name on the wire. */
export function RawField({ tab, name }: { tab: Tab; name: string }) {
  const [value, set] = useField(tab, name);
  const { type, minimum, maximum, exclusiveMinimum, enum: choices } = boundsOf(tab, name);
  if (type === "boolean")
    return <Checkbox label={name} checked={value === true} onChange={(event) => set(event.currentTarget.checked)} />;
  if (choices !== undefined)
    return (
      <Select
        label={name}
        data={choices.map(String)}
        value={value === null ? null : String(value)}
        onChange={(next) => set(typeof choices[0] === "number" && next !== null ? Number(next) : next)}
      />
    );
  if (type === "integer" || type === "number")
    return (
      <NumberInput
        label={name}
        value={typeof value === "number" ? value : ""}
        onChange={(next) => set(typeof next === "number" ? next : null)}
        min={minimum ?? exclusiveMinimum}
        max={maximum}
        allowDecimal={type === "number"}
        clampBehavior="blur"
      />
    );
  if (type === "object" || type === "array") return <JsonField label={name} value={value} set={set} />;
  return (
    <Textarea
      label={name}
      autosize
      value={typeof value === "string" ? value : ""}
      onChange={(event) => set(event.currentTarget.value || null)}
    />
  );
}

export function JsonField({ label, value, set }: { label: string; value: unknown; set: (value: unknown) => void }) {
  const { t } = useTranslation();
  const [draft, setDraft] = useState<string | null>(null);
  const [wrong, setWrong] = useState(false);
  const shown = value === null || JSON.stringify(value) === "{}" || JSON.stringify(value) === "[]" ? "" : JSON.stringify(value, null, 1);
  return (
    <Textarea
      label={label}
      description={t("generate.json")}
      className="mono"
      autosize
      value={draft ?? shown}
      error={wrong ? t("generate.notJson") : undefined}
      onChange={(event) => {
        const text = event.currentTarget.value;
        setDraft(text);
        try {
          set(text.trim() === "" ? null : JSON.parse(text));
          setWrong(false);
        } catch {
          setWrong(true);
        }
      }}
      onBlur={() => {
        if (!wrong) setDraft(null);
      }}
    />
  );
}
