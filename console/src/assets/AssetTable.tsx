/** One row a file: what it is, who owns it, what the inspection said; change it, go on with it, delete it. */
import { FileButton, Button, Text } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Schemas } from "../api/client";
import { RowTable } from "../kit/RowTable";
import { bytes } from "../kit/format";
import { useRights } from "../session/rights";
import { AssetForm } from "./AssetForm";
import { AssetThumbnail } from "./AssetThumbnail";
import { DeleteAsset } from "./DeleteAsset";
import { RestoreAsset } from "./RestoreAsset";
import { useUploads } from "./upload/store";
import { fileInput } from "../kit/fileInput";

export type Asset = Schemas["AssetView"];

export function AssetTable({ assets }: { assets: Asset[] }) {
  const { t } = useTranslation();
  const { mayChange } = useRights();
  const [edited, setEdited] = useState<Asset | null>(null);
  const [deleted, setDeleted] = useState<Asset | null>(null);
  return (
    <>
      <RowTable
        rows={assets}
        keyOf={({ asset_id }) => asset_id}
        minWidth={760}
        columns={[
          { title: t("assets.name"), mono: true, cell: (asset) => <Name asset={asset} /> },
          { title: t("assets.type"), cell: ({ type }) => t(`assetType.${type}`) },
          { title: t("assets.size"), cell: ({ size }) => bytes(size) },
          { title: t("assets.status"), cell: (asset) => <Verdict asset={asset} /> },
          { title: t("assets.owner"), cell: (asset) => <Whose asset={asset} /> },
        ]}
        actions={(asset) =>
          mayChange("asset", asset.owner) &&
          (asset.status === "deleted" ? (
            <RestoreAsset asset={asset} />
          ) : (
            <>
              {asset.status === "uploading" && <GoOn asset={asset} />}
              {asset.status === "active" && (
                <Button
                  size="compact-xs"
                  variant="default"
                  aria-label={t("people.changeNamed", { name: asset.name })}
                  onClick={() => setEdited(asset)}
                >
                  {t("people.change")}
                </Button>
              )}
              <Button
                size="compact-xs"
                variant="default"
                aria-label={t("assets.deleteNamed", { name: asset.name })}
                onClick={() => setDeleted(asset)}
              >
                {t("jobs.delete")}
              </Button>
            </>
          ))
        }
      />
      {edited !== null && <AssetForm asset={edited} onClose={() => setEdited(null)} />}
      {deleted !== null && <DeleteAsset asset={deleted} onClose={() => setDeleted(null)} />}
    </>
  );
}

/** What an asset's change touches: the table, and the lists of models in the form. */
export function useAssetsChanged() {
  const queries = useQueryClient();
  return () => {
    void queries.invalidateQueries({ queryKey: ["assets"] });
    void queries.invalidateQueries({ queryKey: ["models"] });
  };
}

/** An upload that stopped, also in another browser or on another day: its file is chosen again, under whatever name. */
function GoOn({ asset }: { asset: Asset }) {
  const { t } = useTranslation();
  const { uploads, add } = useUploads();
  const [wrong, setWrong] = useState<File | null>(null);
  if (uploads.some(({ name, type, state }) => name === asset.name && type === asset.type && state !== "failed")) return null;
  const choose = (file: File | null) => {
    if (file === null) return;
    setWrong(file.size === asset.size ? null : file);
    if (file.size === asset.size) add([file], asset.type, asset.name);
  };
  return (
    <>
      {wrong !== null && (
        <Text size="xs" role="alert" c="var(--mantine-color-error)">
          {t("upload.otherFile", { size: bytes(wrong.size), wanted: bytes(asset.size) })}
        </Text>
      )}
      <FileButton onChange={choose} inputProps={fileInput(t("upload.goOnNamed", { name: asset.name }))}>
        {(props) => (
          <Button size="compact-xs" {...props}>
            {t("upload.goOn")}
          </Button>
        )}
      </FileButton>
    </>
  );
}

function Name({ asset }: { asset: Asset }) {
  const words = [...(asset.tags ?? []).map((tag) => `#${tag}`), ...(asset.trained_words ?? [])];
  return (
    <div className="asset-name">
      <AssetThumbnail url={asset.picture_url} />
      <div>
        {asset.name}
        {asset.hashes && (
          <Text size="xs" c="dimmed">
            {asset.hashes.short}
          </Text>
        )}
        {asset.description && <Text size="xs">{asset.description}</Text>}
        {words.length > 0 && (
          <Text size="xs" c="dimmed">
            {words.slice(0, 12).join(" · ")}
          </Text>
        )}
      </div>
    </div>
  );
}

function Whose({ asset }: { asset: Asset }) {
  const { t } = useTranslation();
  const only = [...(asset.users ?? []), ...(asset.roles ?? [])];
  return (
    <>
      {asset.owner}
      <Text size="xs" c="dimmed">
        {only.length > 0 ? t("assets.onlyFor", { names: only.join(", ") }) : t("assets.forAll")}
      </Text>
    </>
  );
}

function Verdict({ asset }: { asset: Asset }) {
  const { t, i18n } = useTranslation();
  const known = [asset.architecture, asset.network_kind, asset.rank == null ? null : `rank ${asset.rank}`, asset.prediction_type];
  return (
    <>
      <Text size="sm">{t(`assetStatus.${asset.status}`)}</Text>
      {asset.deleted_until != null && (
        <Text size="xs" c="dimmed">
          {t("assets.until", { time: new Date(asset.deleted_until).toLocaleString(i18n.language) })}
        </Text>
      )}
      {asset.status === "uploading" && (
        <Text size="xs" c="dimmed">
          {t("assets.chooseAgain")}
        </Text>
      )}
      {asset.status === "importing" && asset.received !== null && (
        <Text size="xs" c="dimmed">
          {asset.size > 0 ? `${bytes(asset.received ?? 0)} / ${bytes(asset.size)}` : bytes(asset.received ?? 0)}
        </Text>
      )}
      {asset.error !== null && (
        <Text size="xs" c="var(--mantine-color-error)">
          {asset.error}
        </Text>
      )}
      {known.some(Boolean) && (
        <Text size="xs" c="dimmed">
          {known.filter(Boolean).join(", ")}
        </Text>
      )}
    </>
  );
}
