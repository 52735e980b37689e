/** What is shown only to a key that may do it; instead of a page's main action the reason why it is not there. */
import { Text } from "@mantine/core";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { type Permission, useRights } from "../session/rights";

export function Needs({ right, children }: { right: Permission; children: ReactNode }) {
  return useRights().may(right) ? children : <Lacks right={right} />;
}

export function Lacks({ right }: { right: Permission }) {
  const { t } = useTranslation();
  return (
    <Text size="sm" c="dimmed">
      {t("right.lacks", { permission: right })}
    </Text>
  );
}
