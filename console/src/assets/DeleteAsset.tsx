/** Asks before a file is deleted, and says which of the reader's jobs have used it. */
import { Anchor, Button, Group, List, Loader, Modal, Stack, Text } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { api } from "../api/client";
import { unwrap } from "../api/problem";
import { useCapabilities } from "../generate/queries";
import { ProblemText } from "../kit/ProblemText";
import { type Asset, useAssetsChanged } from "./AssetTable";

const SHOWN = 5;

export function DeleteAsset({ asset, onClose }: { asset: Asset; onClose: () => void }) {
  const { t } = useTranslation();
  const changed = useAssetsChanged();
  const model = asset.hashes?.sha256 ?? asset.name;
  const used = useQuery({
    queryKey: ["used by", model],
    enabled: asset.status === "active",
    queryFn: ({ signal }) => unwrap(api.GET("/v1/jobs", { params: { query: { model, limit: SHOWN } }, signal })),
  });
  const remove = useMutation({
    mutationFn: () => unwrap(api.DELETE("/v1/assets/{asset_id}", { params: { path: { asset_id: asset.asset_id } } })),
    onSuccess: onClose,
    onSettled: changed,
  });
  const days = useCapabilities().data?.deleted_models_days ?? 0;
  const jobs = used.data?.jobs ?? [];
  return (
    <Modal opened onClose={onClose} title={t("assets.deleteNamed", { name: asset.name })} closeButtonProps={{ "aria-label": t("jobs.close") }}>
      <Stack>
        <Text>
          {t("assets.deleteSure", { name: asset.name })}{" "}
          {/* Of an upload that is not complete there is nothing to bring back. */}
          {days > 0 && asset.status === "active" ? t("assets.deletedKept", { count: days }) : t("assets.deletedForGood")}
        </Text>
        {used.isLoading && <Loader size="sm" />}
        {used.isSuccess && jobs.length === 0 && <Text size="sm">{t("assets.unused")}</Text>}
        {jobs.length > 0 && (
          <div>
            <Text size="sm">{t("assets.usedBy")}</Text>
            <List size="sm" aria-label={t("assets.usedBy")}>
              {jobs.map((job) => (
                <List.Item key={job.job_id} className="mono">
                  <Anchor component={Link} href={`/jobs/${job.job_id}`} size="sm">
                    {job.line}
                  </Anchor>
                </List.Item>
              ))}
            </List>
          </div>
        )}
        {remove.error !== null && <ProblemText error={remove.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose} data-autofocus>
            {t("confirm.keep")}
          </Button>
          <Button color="red.9" loading={remove.isPending} onClick={() => remove.mutate()}>
            {t("jobs.delete")}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
