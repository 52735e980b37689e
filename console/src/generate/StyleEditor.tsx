/** Makes, changes, imports, exports and deletes styles. */
import { Button, FileButton, Group, Modal, Select, Stack, TextInput, Textarea } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { download } from "../kit/download";
import { ProblemText } from "../kit/ProblemText";
import { useForm } from "../params/store";
import { useStyleShelf } from "../params/styleShelf";
import { type Style, readStyles, writeStyles } from "../params/styles";
import { fileInput } from "../kit/fileInput";

export default function StyleEditor({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const { styles, change } = useStyleShelf();
  const { values } = useForm();
  const [name, setName] = useState("");
  const [style, setStyle] = useState<Style>({
    prompt: String(values.prompt ?? ""),
    negative_prompt: String(values.negative_prompt ?? ""),
  });
  const [error, setError] = useState<unknown>(null);
  const [wrong, setWrong] = useState<string | null>(null);
  const all = styles ?? {};
  const attempt = (work: Promise<void>, then?: () => void) => {
    setError(null);
    work.then(then, setError);
  };
  const importFile = async (file: File | null) => {
    if (!file) return;
    const found = readStyles(await file.text());
    setWrong(found === null ? file.name : null);
    if (found) attempt(change((old) => ({ ...old, ...found })));
  };
  return (
    <Modal opened onClose={onClose} title={t("styles.edit")} size="lg" closeButtonProps={{ "aria-label": t("jobs.close") }}>
      <Stack>
        <Select
          label={t("styles.existing")}
          data={Object.keys(all)}
          value={name in all ? name : null}
          onChange={(chosen) => {
            if (chosen === null) return;
            setName(chosen);
            setStyle(all[chosen]!);
          }}
          searchable
          nothingFoundMessage={t("styles.none")}
        />
        <TextInput label={t("styles.name")} value={name} onChange={(event) => setName(event.currentTarget.value)} data-autofocus />
        <Textarea
          label={t("field.prompt")}
          description={t("styles.placeholder", { word: "{prompt}" })}
          autosize
          value={style.prompt}
          onChange={(event) => setStyle({ ...style, prompt: event.currentTarget.value })}
        />
        <Textarea
          label={t("field.negative_prompt")}
          autosize
          value={style.negative_prompt}
          onChange={(event) => setStyle({ ...style, negative_prompt: event.currentTarget.value })}
        />
        {error !== null && <ProblemText error={error} />}
        {wrong !== null && <div role="alert">{t("styles.wrong", { name: wrong })}</div>}
        <Group justify="space-between">
          <Group gap="xs">
            <FileButton accept=".csv,text/csv" onChange={(file) => void importFile(file)} inputProps={fileInput(t("styles.import"))}>
              {(props) => (
                <Button {...props} variant="default">
                  {t("styles.import")}
                </Button>
              )}
            </FileButton>
            <Button
              variant="default"
              disabled={Object.keys(all).length === 0}
              onClick={() => download(new Blob([writeStyles(all)], { type: "text/csv" }), "styles.csv")}
            >
              {t("styles.export")}
            </Button>
          </Group>
          <Group gap="xs">
            <Button
              variant="default"
              disabled={!(name in all)}
              onClick={() => attempt(change((old) => Object.fromEntries(Object.entries(old).filter(([each]) => each !== name))), () => setName(""))}
            >
              {t("jobs.delete")}
            </Button>
            <Button disabled={name.trim() === ""} onClick={() => attempt(change((old) => ({ ...old, [name.trim()]: style })), onClose)}>
              {t("styles.save")}
            </Button>
          </Group>
        </Group>
      </Stack>
    </Modal>
  );
}
