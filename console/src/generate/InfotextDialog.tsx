/** An infotext, pasted or out of a picture, is compared with the form before anything is overwritten; single values can be left out. */
import { Button, Checkbox, FileButton, Group, Modal, Stack, Table, Text, Textarea } from "@mantine/core";
import { useCallback, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { differences, readInfotext } from "../params/infotext";
import { pictureText } from "../params/pictureText";
import { type Tab, useForm } from "../params/store";
import { ACCEPTED } from "./PictureInput";
import { stem, useModels } from "./queries";
import { fileInput } from "../kit/fileInput";

interface Props {
  tab: Tab;
  /** A dropped picture to read first. */
  file: File | null;
  onClose: () => void;
}

export default function InfotextDialog({ tab, file, onClose }: Props) {
  const { t } = useTranslation();
  const [text, setText] = useState("");
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set());
  const [without, setWithout] = useState<string | null>(null);
  const { values, checkpoint, setAll, choose } = useForm();
  const checkpoints = useModels("checkpoint").data ?? [];
  const found = text.trim() === "" ? null : readInfotext(text);
  const changes = found ? differences(tab, found.values, values) : [];
  const model = checkpoints.find((asset) => stem(asset.name) === found?.model)?.name ?? null;
  const modelChanges = model !== null && model !== checkpoint;
  const rows = [
    ...(modelChanges ? [{ name: "checkpoint", now: checkpoint, then: model as unknown }] : []),
    ...changes,
  ];
  const read = useCallback(async (picture: File | null) => {
    if (picture === null) return;
    const inside = await pictureText(picture);
    setText(inside ?? "");
    setWithout(inside === null ? picture.name : null);
    setLeft(new Set());
  }, []);
  useEffect(() => void read(file), [file, read]);
  const take = () => {
    const taken = rows.filter(({ name }) => !left.has(name));
    if (taken.some(({ name }) => name === "checkpoint")) choose({ checkpoint: model });
    setAll(Object.fromEntries(taken.filter(({ name }) => name !== "checkpoint").map(({ name, then }) => [name, then])));
    onClose();
  };
  const toggle = (name: string) =>
    setLeft((old) => {
      const next = new Set(old);
      if (!next.delete(name)) next.add(name);
      return next;
    });

  return (
    <Modal opened onClose={onClose} title={t("infotext.paste")} size="lg" closeButtonProps={{ "aria-label": t("jobs.close") }}>
      <Stack>
        <Textarea
          label={t("jobs.infotext")}
          description={t("infotext.help")}
          autosize
          minRows={4}
          maxRows={10}
          data-autofocus
          value={text}
          onChange={(event) => {
            setText(event.currentTarget.value);
            setWithout(null);
          }}
        />
        <FileButton accept={ACCEPTED} onChange={(picture) => void read(picture)} inputProps={fileInput(t("infotext.picture"))}>
          {(props) => (
            <Button {...props} variant="default" size="compact-sm">
              {t("infotext.picture")}
            </Button>
          )}
        </FileButton>
        {without !== null && <Text role="alert">{t("infotext.none", { name: without })}</Text>}
        {text.trim() !== "" && found === null && <Text role="alert">{t("infotext.wrong")}</Text>}
        {found !== null && rows.length === 0 && <Text>{t("infotext.same")}</Text>}
        {found?.model != null && model === null && (
          <Text size="sm">{t("infotext.modelMissing", { name: found.model })}</Text>
        )}
        {rows.length > 0 && (
          <Table>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t("infotext.field")}</Table.Th>
                <Table.Th>{t("infotext.now")}</Table.Th>
                <Table.Th>{t("infotext.then")}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {rows.map(({ name, now, then }) => (
                <Table.Tr key={name}>
                  <Table.Td>
                    <Checkbox label={name} checked={!left.has(name)} onChange={() => toggle(name)} />
                  </Table.Td>
                  <Table.Td className="mono">{shown(now)}</Table.Td>
                  <Table.Td className="mono">{shown(then)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t("infotext.cancel")}
          </Button>
          <Button onClick={take} disabled={rows.length === left.size}>
            {t("infotext.take")}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

function shown(value: unknown): string {
  if (value === null || value === "") return "–";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
