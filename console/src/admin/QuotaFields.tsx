/** One number for each quota of the contract; empty is no limit. */
import { Fieldset, NumberInput, SimpleGrid } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { BOUNDS } from "virtual:contract";
import type { Schemas } from "../api/client";

export type Quotas = Schemas["Quotas"];
const NAMES = Object.keys(BOUNDS.Quotas!) as (keyof Quotas)[];
const GB = 1e9;

/** What one unit of the field is. */
const unitOf = (name: keyof Quotas): number => (name === "asset_bytes" ? GB : 1);

export function QuotaFields({ quotas, onQuotas }: { quotas: Quotas; onQuotas: (quotas: Quotas) => void }) {
  const { t } = useTranslation();
  return (
    <Fieldset legend={t("quota.title")}>
      <SimpleGrid className="fields" cols={{ base: 1, xs: 2 }} spacing="xs">
        {NAMES.map((name) => (
          <NumberInput
            key={name}
            label={t(`quota.${name}`)}
            placeholder={t("quota.none")}
            value={quotas[name] == null ? "" : quotas[name] / unitOf(name)}
            min={0}
            max={(BOUNDS.Quotas![name]!.maximum ?? Infinity) / unitOf(name)}
            allowDecimal={unitOf(name) !== 1}
            onChange={(value) => onQuotas({ ...quotas, [name]: value === "" ? null : Math.round(Number(value) * unitOf(name)) })}
          />
        ))}
      </SimpleGrid>
    </Fieldset>
  );
}

/** The quotas that are set, in words: `50 jobs a day`. */
export function QuotaWords({ quotas }: { quotas: Quotas }) {
  const { t, i18n } = useTranslation();
  const number = new Intl.NumberFormat(i18n.language);
  const set = NAMES.filter((name) => quotas[name] != null);
  if (set.length === 0) return <>—</>;
  return set.map((name) => (
    <div key={name} className="unbroken">
      {t(`quota.${name}`)}: {number.format(quotas[name]! / unitOf(name))}
    </div>
  ));
}
