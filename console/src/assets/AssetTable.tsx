/** One row a file: what it is, who owns it, and what the inspection said. */
import { Button, Table, Text, VisuallyHidden } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { type Schemas, api } from "../api/client";
import { unwrap } from "../api/problem";
import { ProblemText } from "../kit/ProblemText";
import { useConfirm } from "../kit/confirm";
import { bytes } from "../kit/format";

type Asset = Schemas["AssetView"];

export function AssetTable({ assets }: { assets: Asset[] }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const confirm = useConfirm();
  const remove = useMutation({
    mutationFn: (asset_id: string) => unwrap(api.DELETE("/v1/assets/{asset_id}", { params: { path: { asset_id } } })),
    onSettled: () => {
      void queries.invalidateQueries({ queryKey: ["assets"] });
      void queries.invalidateQueries({ queryKey: ["models"] });
    },
  });
  return (
    <>
      {remove.error !== null && <ProblemText error={remove.error} />}
      {confirm.dialog}
      <Table.ScrollContainer minWidth={680} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
        <Table verticalSpacing="xs">
          <Table.Thead>
            <Table.Tr>
              {(["name", "type", "size", "status", "owner"] as const).map((column) => (
                <Table.Th key={column}>{t(`assets.${column}`)}</Table.Th>
              ))}
              <Table.Th>
                <VisuallyHidden>{t("jobs.delete")}</VisuallyHidden>
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {assets.map((asset) => (
              <Table.Tr key={asset.asset_id}>
                <Table.Td className="mono">{asset.name}</Table.Td>
                <Table.Td>{t(`assetType.${asset.type}`)}</Table.Td>
                <Table.Td>{bytes(asset.size)}</Table.Td>
                <Table.Td>
                  <Verdict asset={asset} />
                </Table.Td>
                <Table.Td>{asset.owner}</Table.Td>
                <Table.Td>
                  <Button
                    size="compact-xs"
                    variant="default"
                    aria-label={t("assets.deleteNamed", { name: asset.name })}
                    onClick={() =>
                      confirm.ask(t("assets.deleteSure", { name: asset.name }), t("jobs.delete"), () => remove.mutate(asset.asset_id))
                    }
                  >
                    {t("jobs.delete")}
                  </Button>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </>
  );
}

function Verdict({ asset }: { asset: Asset }) {
  const { t } = useTranslation();
  const known = [asset.architecture, asset.network_kind, asset.rank == null ? null : `rank ${asset.rank}`];
  return (
    <>
      <Text size="sm">{t(`assetStatus.${asset.status}`)}</Text>
      {asset.status === "uploading" && (
        <Text size="xs" c="dimmed">
          {t("assets.chooseAgain")}
        </Text>
      )}
      {asset.status === "importing" && asset.received !== null && (
        <Text size="xs" c="dimmed">
          {bytes(asset.received)}
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
