/** Which of the two models describes the picture. */
import { SegmentedControl } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useForm } from "../params/store";

export default function TaggerChoice() {
  const { t } = useTranslation();
  const { tagger, choose } = useForm();
  return (
    <SegmentedControl
      aria-label={t("tab.interrogate")}
      data={[{ value: "clip", label: "CLIP" }, { value: "deepbooru", label: "DeepBooru" }]}
      value={tagger}
      onChange={(value) => choose({ tagger: value as "clip" | "deepbooru" })}
    />
  );
}
