/** What is done with the ticked jobs together: their pictures in one zip, or deleted. */
import { Button, Group, Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useConfirm } from "../kit/confirm";
import { ProblemText } from "../kit/ProblemText";
import { useRights } from "../session/rights";
import { useJobActions } from "./queries";
import { saveJobs } from "./saving";

interface Props {
  selected: ReadonlySet<string>;
  onAll: () => void;
  onEnd: () => void;
}

export function SelectionBar({ selected, onAll, onEnd }: Props) {
  const { t } = useTranslation();
  const { remove } = useJobActions();
  const confirm = useConfirm();
  const { may } = useRights();
  const [saving, setSaving] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const ids = [...selected];
  const none = ids.length === 0;
  async function save() {
    setSaving(true);
    setError(null);
    try {
      await saveJobs(ids);
    } catch (caught) {
      setError(caught);
    } finally {
      setSaving(false);
    }
  }
  return (
    <>
      <Group gap="xs">
        <Text size="sm" role="status">
          {t("jobs.selected", { count: ids.length })}
        </Text>
        <Button size="compact-sm" variant="default" onClick={onAll}>
          {t("jobs.selectShown")}
        </Button>
        <Button size="compact-sm" loading={saving} disabled={none} onClick={() => void save()}>
          {t("jobs.saveSelected")}
        </Button>
        {may("inference:create") && (
          <Button
            size="compact-sm"
            variant="default"
            loading={remove.isPending}
            disabled={none}
            onClick={() =>
              confirm.ask(t("jobs.deleteSelectedSure", { count: ids.length }), t("jobs.delete"), () =>
                remove.mutate(ids, { onSuccess: onEnd }),
              )
            }
          >
            {t("jobs.delete")}
          </Button>
        )}
        <Button size="compact-sm" variant="default" onClick={onEnd}>
          {t("jobs.endSelection")}
        </Button>
      </Group>
      {confirm.dialog}
      {(error ?? remove.error) !== null && <ProblemText error={error ?? remove.error} />}
    </>
  );
}
