/** What a file's owner may change: name, description, picture, tags, trigger words, who may use it, what it predicts. */
import { Select, TagsInput, TextInput, Textarea } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { PREDICTIONS } from "virtual:contract";
import { type Schemas, api } from "../api/client";
import { unwrap } from "../api/problem";
import { FormModal } from "../kit/FormModal";
import { PictureInput } from "../generate/PictureInput";
import { type Asset, useAssetsChanged } from "./AssetTable";
import { smallPicture } from "./pictureBytes";

const NETWORKS: ReadonlySet<string> = new Set(["lora", "hypernetwork", "embedding"]);
const AUTOMATIC = "automatic";

export function AssetForm({ asset, onClose }: { asset: Asset; onClose: () => void }) {
  const { t } = useTranslation();
  const changed = useAssetsChanged();
  const [name, setName] = useState(asset.name);
  const [description, setDescription] = useState(asset.description ?? "");
  const [tags, setTags] = useState(asset.tags ?? []);
  const [words, setWords] = useState(asset.trained_words ?? []);
  const [users, setUsers] = useState(asset.users ?? []);
  const [roles, setRoles] = useState(asset.roles ?? []);
  const [prediction, setPrediction] = useState<string>(asset.prediction_type ?? AUTOMATIC);
  /** undefined: as it was; null: none. */
  const [picture, setPicture] = useState<Blob | null | undefined>();
  const send = useMutation({
    mutationFn: async () => {
      const body = {
        ...(name === asset.name ? {} : { name }),
        ...(NETWORKS.has(asset.type) ? { trained_words: words } : {}),
        ...(prediction === (asset.prediction_type ?? AUTOMATIC) ? {} : { prediction_type: prediction }),
        ...(picture === undefined ? {} : { picture: picture === null ? "" : await smallPicture(picture) }),
        description,
        tags,
        users,
        roles,
      } as Schemas["ChangeAsset"];
      return unwrap(api.PATCH("/v1/assets/{asset_id}", { params: { path: { asset_id: asset.asset_id } }, body }));
    },
    onSuccess: () => {
      changed();
      onClose();
    },
  });
  return (
    <FormModal
      title={t("people.changeNamed", { name: asset.name })}
      send={t("form.save")}
      sending={send.isPending}
      error={send.error}
      onSend={() => send.mutate()}
      onClose={onClose}
    >
      <TextInput label={t("import.name")} value={name} onChange={(event) => setName(event.currentTarget.value)} required data-autofocus />
      <Textarea
        label={t("assets.description")}
        value={description}
        autosize
        minRows={2}
        onChange={(event) => setDescription(event.currentTarget.value)}
      />
      <PictureInput
        label={t("assets.picture")}
        picture={picture ?? undefined}
        kept={picture === undefined ? asset.picture_url : null}
        onPicture={setPicture}
      />
      <TagsInput label={t("assets.tags")} description={t("assets.enter")} value={tags} onChange={setTags} />
      {NETWORKS.has(asset.type) && (
        <TagsInput label={t("assets.triggerWords")} description={t("assets.enter")} value={words} onChange={setWords} splitChars={[]} />
      )}
      {asset.type === "checkpoint" && (
        <Select
          label={t("assets.predicts")}
          data={[{ value: AUTOMATIC, label: t("assets.asFile") }, ...PREDICTIONS]}
          value={prediction}
          onChange={(value) => setPrediction(value ?? AUTOMATIC)}
          allowDeselect={false}
        />
      )}
      <TagsInput label={t("endpoints.users")} description={t("endpoints.everyone")} value={users} onChange={setUsers} />
      <TagsInput label={t("endpoints.roles")} value={roles} onChange={setRoles} />
    </FormModal>
  );
}
