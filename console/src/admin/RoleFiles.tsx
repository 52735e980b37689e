/** Which model files a role's users may use besides their own: every one, or those of a list. */
import { Checkbox, Fieldset, TagsInput } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { ASSET_TYPES } from "virtual:contract";
import type { Schemas } from "../api/client";
import { useModels } from "../generate/queries";

/** null: all that are for them. */
export type Files = NonNullable<Schemas["PutRole"]["assets"]> | null;
const MOST = 100;
const OF_TYPE = "type:";
const OF_TAG = "tag:";

export function RoleFiles({ files, onFiles }: { files: Files; onFiles: (files: Files) => void }) {
  const { t } = useTranslation();
  const checkpoints = useModels("checkpoint").data ?? [];
  const tags = new Set(checkpoints.flatMap((checkpoint) => checkpoint.tags ?? []));
  const offered = [
    ...ASSET_TYPES.map((type) => `${OF_TYPE}${type}`),
    ...[...tags].map((tag) => `${OF_TAG}${tag}`),
    ...new Set(checkpoints.map(({ name }) => name)),
  ];
  return (
    <Fieldset legend={t("roleFiles.title")}>
      <Checkbox
        label={t("roleFiles.only")}
        description={t("roleFiles.help")}
        checked={files !== null}
        onChange={(event) => onFiles(event.currentTarget.checked ? [] : null)}
      />
      {files !== null && (
        <TagsInput
          mt="xs"
          label={t("roleFiles.list")}
          description={t("roleFiles.entries")}
          data={offered}
          value={files}
          maxTags={MOST}
          splitChars={[]}
          clearable
          clearButtonProps={{ "aria-label": t("roleFiles.clear") }}
          onChange={onFiles}
        />
      )}
    </Fieldset>
  );
}
