/** Says so while the service cannot be reached, and that nothing is lost; goes away by itself. */
import { Alert } from "@mantine/core";
import { onlineManager, useQueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { ProblemError } from "../api/problem";

export function Connection() {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const online = useSyncExternalStore(
    (changed) => onlineManager.subscribe(changed),
    () => onlineManager.isOnline(),
  );
  /** The watch over the newest jobs asks on every page, so it knows first. */
  const failing = useSyncExternalStore(
    (changed) => queries.getQueryCache().subscribe(changed),
    () => {
      const reason = queries.getQueryState(["jobs", "watch"])?.fetchFailureReason;
      return reason instanceof ProblemError && reason.code === "network";
    },
  );
  if (online && !failing) return null;
  return (
    <Alert role="status" color="orange" variant="outline" mb="sm" title={t("problem.network")}>
      {t("connection.kept")}
    </Alert>
  );
}
