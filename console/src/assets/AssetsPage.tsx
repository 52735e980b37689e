/** The model files in the cloud: upload, import by URL, what the inspection said, delete. */
import { Button, Checkbox, FileButton, Group, Paper, PasswordInput, Select, Stack, Text, TextInput, Title } from "@mantine/core";
import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { type DragEvent, type FormEvent, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { type Schemas, api } from "../api/client";
import { unwrap } from "../api/problem";
import { useCapabilities } from "../generate/queries";
import { Needs } from "../kit/Needs";
import { ProblemText } from "../kit/ProblemText";
import { useRights } from "../session/rights";
import { AssetTable } from "./AssetTable";
import { UploadList } from "./UploadList";
import { useUploads } from "./upload/store";
import { fileInput } from "../kit/fileInput";

export const TYPES = [
  "checkpoint",
  "vae",
  "lora",
  "hypernetwork",
  "embedding",
  "controlnet",
  "interrogator",
  "tagger",
  "upscaler",
  "face_restoration",
  "preprocessor",
  "styles",
] as const satisfies readonly Schemas["AssetType"][];
const UNSETTLED: ReadonlySet<string> = new Set(["inspecting", "importing"]);

export default function AssetsPage() {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [type, setType] = useState<Schemas["AssetType"] | null>(null);
  const [deleted, setDeleted] = useState(false);
  const keptDays = useCapabilities().data?.deleted_models_days ?? 0;
  const { mayAsk } = useRights();
  const ended = useUploads((state) => state.ended);
  const assets = useInfiniteQuery({
    queryKey: ["assets", type, deleted],
    enabled: mayAsk("asset:list"),
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) =>
      unwrap(
        api.GET("/v1/assets", {
          params: {
            query: { limit: 100, ...(deleted ? { deleted } : {}), ...(type === null ? {} : { type }), ...(pageParam === null ? {} : { cursor: pageParam }) },
          },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.next_cursor,
    refetchInterval: ({ state }) =>
      state.data?.pages.some((page) => page.assets.some(({ status }) => UNSETTLED.has(status))) ? 3000 : 30_000,
  });
  useEffect(() => {
    void queries.invalidateQueries({ queryKey: ["assets"] });
    void queries.invalidateQueries({ queryKey: ["models"] });
  }, [ended, queries]);
  const list = assets.data?.pages.flatMap((page) => page.assets) ?? [];

  return (
    <Stack gap="md">
      <Title order={1} size="h3">
        {t("nav.assets")}
      </Title>
      <Needs right="asset:create">
        <UploadForm />
        <UploadList />
        <ImportForm />
      </Needs>
      <Group align="flex-end">
        <Select
          label={t("assets.filter")}
          placeholder={t("jobs.anyTask")}
          data={TYPES.map((each) => ({ value: each, label: t(`assetType.${each}`) }))}
          value={type}
          onChange={(value) => setType(value as Schemas["AssetType"] | null)}
          clearable
          clearButtonProps={{ "aria-label": t("jobs.anyTask") }}
          maw={260}
        />
        {keptDays > 0 && (
          <Checkbox
            mb={8}
            label={t("assets.deleted")}
            checked={deleted}
            onChange={(event) => setDeleted(event.currentTarget.checked)}
          />
        )}
      </Group>
      {assets.error !== null && <ProblemText error={assets.error} />}
      {assets.isSuccess && list.length === 0 && <Text c="dimmed">{t(deleted ? "assets.noneDeleted" : "assets.none")}</Text>}
      {list.length > 0 && <AssetTable assets={list} />}
      {assets.hasNextPage && (
        <Button variant="default" loading={assets.isFetchingNextPage} onClick={() => void assets.fetchNextPage()}>
          {t("assets.more")}
        </Button>
      )}
    </Stack>
  );
}

function UploadForm() {
  const { t } = useTranslation();
  const add = useUploads((state) => state.add);
  const [type, setType] = useState<Schemas["AssetType"]>("checkpoint");
  const [over, setOver] = useState(false);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    add([...event.dataTransfer.files], type);
  };
  return (
    <Paper
      className="drop"
      data-over={over}
      component="section"
      aria-label={t("upload.title")}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <Group align="flex-end">
        <TypeSelect label={t("upload.type")} type={type} onType={setType} />
        <FileButton multiple onChange={(files) => add(files, type)} inputProps={fileInput(t("upload.choose"))}>
          {(props) => <Button {...props}>{t("upload.choose")}</Button>}
        </FileButton>
      </Group>
      <Text size="sm" c="dimmed" mt={6}>
        {t("upload.help")}
      </Text>
    </Paper>
  );
}

function ImportForm() {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [type, setType] = useState<Schemas["AssetType"]>("checkpoint");
  const [url, setUrl] = useState("");
  const [name, setName] = useState("");
  const [token, setToken] = useState("");
  const importing = useMutation({
    mutationFn: () =>
      unwrap(
        api.POST("/v1/assets", {
          body: { type, name: name || fileOf(url), source_url: url, ...(token ? { bearer_token: token } : {}) } as Schemas["CreateAsset"],
        }),
      ),
    onSuccess: () => {
      setUrl("");
      setName("");
      setToken("");
      void queries.invalidateQueries({ queryKey: ["assets"] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    importing.mutate();
  };
  return (
    <Paper withBorder p="sm" component="section" aria-label={t("import.title")}>
      <form onSubmit={submit}>
        <Group align="flex-end" gap="xs">
          <TypeSelect label={t("import.type")} type={type} onType={setType} />
          <TextInput
            label={t("import.url")}
            type="url"
            placeholder="https://"
            value={url}
            onChange={(event) => setUrl(event.currentTarget.value)}
            className="grow"
            miw={220}
          />
          <TextInput
            label={t("import.name")}
            placeholder={fileOf(url)}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <PasswordInput
            label={t("import.token")}
            value={token}
            onChange={(event) => setToken(event.currentTarget.value)}
            autoComplete="off"
            visibilityToggleButtonProps={{ "aria-label": t("signIn.show") }}
            miw={160}
          />
          <Button type="submit" variant="default" loading={importing.isPending} disabled={!url}>
            {t("import.start")}
          </Button>
        </Group>
      </form>
      {importing.error !== null && <ProblemText error={importing.error} />}
    </Paper>
  );
}

function TypeSelect({ label, type, onType }: { label: string; type: Schemas["AssetType"]; onType: (type: Schemas["AssetType"]) => void }) {
  const { t } = useTranslation();
  return (
    <Select
      label={label}
      data={TYPES.map((each) => ({ value: each, label: t(`assetType.${each}`) }))}
      value={type}
      onChange={(value) => onType(value as Schemas["AssetType"])}
      allowDeselect={false}
      w={190}
    />
  );
}

/** The last part of the address' path, which most sites call the file. */
function fileOf(url: string): string {
  try {
    return decodeURIComponent(new URL(url).pathname.split("/").at(-1) ?? "");
  } catch {
    return "";
  }
}
