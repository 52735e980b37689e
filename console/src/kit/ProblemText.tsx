/** An error in the reader's language, then the service's own words and what it refused. */
import { Alert, Code, List, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { ProblemError } from "../api/problem";

export function ProblemText({ error }: { error: unknown }) {
  const { t, i18n } = useTranslation();
  const problem = error instanceof ProblemError ? error : null;
  // A newer service may know codes that this page has no sentence for.
  const code = problem !== null && i18n.exists(`problem.${problem.code}`) ? problem.code : "unknown";
  return (
    <Alert role="alert" color="red" title={t(`problem.${code}`)} variant="outline">
      <Stack gap={4}>
        {code !== "network" && <Text size="sm">{problem?.message ?? String(error)}</Text>}
        {problem !== null && problem.fields.length > 0 && (
          <List size="sm">
            {problem.fields.map((field) => (
              <List.Item key={`${field.pointer} ${field.message}`}>
                <Code>{field.pointer}</Code> {field.message}
              </List.Item>
            ))}
          </List>
        )}
        {problem?.requestId && (
          <Text size="xs" c="dimmed">
            {t("problem.request", { id: problem.requestId })}
          </Text>
        )}
      </Stack>
    </Alert>
  );
}
