/** The chosen styles, and the way to their editor. */
import { Button, Group, MultiSelect } from "@mantine/core";
import { Suspense, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { useForm } from "../params/store";
import { useStyleShelf } from "../params/styleShelf";
import { applyStyles } from "../params/styles";
import { lazily } from "../kit/lazily";

const StyleEditor = lazily(() => import("./StyleEditor"));

export default function StyleBar() {
  const { t } = useTranslation();
  const { styles, load } = useStyleShelf();
  const { styles: chosen, values, setAll, choose } = useForm();
  const [editing, setEditing] = useState(false);
  useEffect(() => {
    // The button of the editor tries again, and says why it failed.
    void load().catch(() => undefined);
  }, [load]);
  const known = Object.keys(styles ?? {});
  const take = () => {
    const [prompt, negative] = applyStyles(String(values.prompt ?? ""), String(values.negative_prompt ?? ""), chosen, styles ?? {});
    setAll({ prompt, negative_prompt: negative });
    choose({ styles: [] });
  };
  return (
    <Group gap="xs" align="flex-end">
      <MultiSelect
        className="grow"
        miw={160}
        aria-label={t("styles.title")}
        placeholder={chosen.length === 0 ? t("styles.title") : undefined}
        data={[...new Set([...known, ...chosen])]}
        value={chosen}
        onChange={(names) => choose({ styles: names })}
        searchable
        nothingFoundMessage={t("styles.none")}
      />
      <Button variant="default" disabled={chosen.length === 0} onClick={take}>
        {t("styles.apply")}
      </Button>
      <Button variant="default" onClick={() => setEditing(true)}>
        {t("styles.edit")}
      </Button>
      {editing && (
        <Suspense>
          <StyleEditor onClose={() => setEditing(false)} />
        </Suspense>
      )}
    </Group>
  );
}
