/** LoRAs, hypernetworks and embeddings to put into the prompt: with search, trigger words, and only what fits. */
import { Badge, Button, Checkbox, Group, Modal, ScrollArea, SegmentedControl, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Schemas } from "../api/client";
import { useForm } from "../params/store";
import { AssetThumbnail } from "../assets/AssetThumbnail";
import { fits, stem, useFamily, useModels } from "./queries";

const TYPES = ["lora", "hypernetwork", "embedding"] as const;
type NetworkType = (typeof TYPES)[number];
const SHOWN = 200;

function tagOf(type: NetworkType, name: string): string {
  if (type === "embedding") return stem(name);
  return `<${type === "lora" ? "lora" : "hypernet"}:${stem(name)}:1>`;
}

export default function Networks({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const [type, setType] = useState<NetworkType>("lora");
  const [sought, setSought] = useState("");
  const [onlyFitting, setOnlyFitting] = useState(true);
  const family = useFamily();
  const models = useModels(type).data ?? [];
  const words = sought.toLowerCase().split(/\s+/).filter(Boolean);
  const found = models.filter((asset) => {
    const text = [asset.name, asset.description, ...asset.tags, ...asset.trained_words].join(" ").toLowerCase();
    return words.every((word) => text.includes(word)) && (!onlyFitting || fits(asset, family));
  });
  return (
    <Modal opened onClose={onClose} title={t("networks.title")} size="lg" closeButtonProps={{ "aria-label": t("jobs.close") }}>
      <Stack gap="xs">
        <SegmentedControl
          aria-label={t("assets.type")}
          data={TYPES.map((value) => ({ value, label: t(`assetType.${value}`) }))}
          value={type}
          onChange={(chosen) => setType(chosen as NetworkType)}
        />
        <TextInput
          label={t("networks.search")}
          value={sought}
          onChange={(event) => setSought(event.currentTarget.value)}
          data-autofocus
        />
        <Checkbox
          label={t("networks.fitting")}
          checked={onlyFitting}
          onChange={(event) => setOnlyFitting(event.currentTarget.checked)}
        />
        <Text size="sm" role="status">
          {t("networks.found", { found: found.length, all: models.length })}
        </Text>
        <ScrollArea.Autosize mah="50dvh" viewportProps={{ tabIndex: 0 }}>
          <Stack gap={4} component="ul" m={0} p={0}>
            {found.slice(0, SHOWN).map((asset) => (
              <Network key={asset.asset_id} asset={asset} type={type} />
            ))}
          </Stack>
        </ScrollArea.Autosize>
      </Stack>
    </Modal>
  );
}

function Network({ asset, type }: { asset: Schemas["AssetView"]; type: NetworkType }) {
  const { t } = useTranslation();
  const set = useForm((form) => form.set);
  const prompt = useForm((form) => String(form.values.prompt ?? ""));
  const add = (text: string) => set("prompt", [prompt, text].filter(Boolean).join(type === "lora" ? " " : ", "));
  const name = stem(asset.name);
  return (
    <li className="network">
      <AssetThumbnail url={asset.picture_url} />
      <div className="grow">
        <Group gap="xs" wrap="nowrap" justify="space-between">
          <Text className="mono" size="sm">
            {name}
          </Text>
          <Group gap="xs" wrap="nowrap">
            {asset.architecture && (
              <Badge variant="default" className="badge">
                {asset.architecture}
              </Badge>
            )}
            <Button size="compact-sm" aria-label={t("networks.addNamed", { name })} onClick={() => add(tagOf(type, asset.name))}>
              {t("networks.add")}
            </Button>
          </Group>
        </Group>
        {asset.description !== "" && <Text size="xs">{asset.description}</Text>}
        {asset.trained_words.length > 0 && (
          <Group gap={4} role="group" aria-label={t("networks.words", { name })}>
            {asset.trained_words.map((word) => (
              <Button key={word} size="compact-xs" variant="default" onClick={() => set("prompt", [prompt, word].filter(Boolean).join(", "))}>
                {word}
              </Button>
            ))}
          </Group>
        )}
      </div>
    </li>
  );
}
