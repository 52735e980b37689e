/** Which files and which endpoint a job uses. */
import { Select, SimpleGrid } from "@mantine/core";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { useForm } from "../params/store";
import { stem, useEndpoints, useModels } from "./queries";

export function Models({ error }: { error: string | null }) {
  const { t } = useTranslation();
  const { checkpoint, vae, endpoint, choose } = useForm();
  const checkpoints = useModels("checkpoint").data ?? [];
  const chosen = checkpoints.find(({ name }) => name === checkpoint);
  const { native_width: width = null, native_height: height = null } = chosen ?? {};
  useEffect(() => {
    if (width !== null && height !== null) choose({ native: { width, height } });
  }, [checkpoint, width, height, choose]);
  const vaes = useModels("vae").data ?? [];
  return (
    <SimpleGrid className="fields" cols={{ base: 1, xs: 2, md: 3 }} spacing="xs">
      <Select
        label={t("generate.checkpoint")}
        placeholder={t("generate.chooseCheckpoint")}
        data={checkpoints.map((asset) => ({
          value: asset.name,
          label: asset.architecture ? `${stem(asset.name)} (${asset.architecture})` : stem(asset.name),
        }))}
        value={checkpoint}
        onChange={(name) => choose({ checkpoint: name })}
        searchable
        allowDeselect={false}
        withAsterisk
        error={error}
        nothingFoundMessage={t("generate.noCheckpoints")}
      />
      <Select
        label={t("generate.vae")}
        placeholder={t("generate.ownVae")}
        data={vaes.map((asset) => ({ value: asset.name, label: stem(asset.name) }))}
        value={vae}
        onChange={(name) => choose({ vae: name })}
        searchable
        clearable
        clearButtonProps={{ "aria-label": t("generate.ownVae") }}
        nothingFoundMessage={t("generate.nothingFound")}
      />
      <EndpointPicker endpoint={endpoint} onChoose={(name) => choose({ endpoint: name })} />
    </SimpleGrid>
  );
}

export function EndpointPicker({ endpoint, onChoose }: { endpoint: string | null; onChoose: (name: string | null) => void }) {
  const { t } = useTranslation();
  const endpoints = useEndpoints().data?.endpoints ?? [];
  return (
    <Select
      label={t("generate.endpoint")}
      placeholder={t("generate.anyEndpoint")}
      data={endpoints.map((each) => ({ value: each.name, label: `${each.name} (${t(`endpointStatus.${each.status}`)})` }))}
      value={endpoint}
      onChange={onChoose}
      clearable
      clearButtonProps={{ "aria-label": t("generate.anyEndpoint") }}
    />
  );
}
