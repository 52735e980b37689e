/** Brings a deleted file back under its name; the reason next to the button if that cannot be. */
import { Button, Group } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { api } from "../api/client";
import { unwrap } from "../api/problem";
import { ProblemText } from "../kit/ProblemText";
import { type Asset, useAssetsChanged } from "./AssetTable";

export function RestoreAsset({ asset }: { asset: Asset }) {
  const { t } = useTranslation();
  const changed = useAssetsChanged();
  const restore = useMutation({
    mutationFn: () => unwrap(api.POST("/v1/assets/{asset_id}/restore", { params: { path: { asset_id: asset.asset_id } } })),
    onSettled: changed,
  });
  return (
    <Group gap="xs" justify="flex-end">
      {restore.error !== null && <ProblemText error={restore.error} />}
      <Button
        size="compact-xs"
        variant="default"
        aria-label={t("assets.restoreNamed", { name: asset.name })}
        loading={restore.isPending}
        onClick={() => restore.mutate()}
      >
        {t("assets.restore")}
      </Button>
    </Group>
  );
}
