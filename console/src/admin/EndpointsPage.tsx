/** Endpoints with their live state; those that people made can be changed and deleted, and new ones made. */
import { Button, Group, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useEndpoints } from "../generate/queries";
import { Needs } from "../kit/Needs";
import { ProblemText } from "../kit/ProblemText";
import { EndpointCard } from "./EndpointCard";
import { EndpointForm } from "./EndpointForm";

export default function EndpointsPage() {
  const { t } = useTranslation();
  const endpoints = useEndpoints();
  const [creating, setCreating] = useState(false);
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={1} size="h3">
          {t("nav.endpoints")}
        </Title>
        <Needs right="endpoint:create">
          <Button variant="default" size="xs" onClick={() => setCreating(true)}>
            {t("endpoints.create")}
          </Button>
        </Needs>
      </Group>
      {endpoints.error !== null && <ProblemText error={endpoints.error} />}
      {endpoints.isSuccess && endpoints.data.endpoints.length === 0 && <Text c="dimmed">{t("endpoints.none")}</Text>}
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
        {endpoints.data?.endpoints.map((endpoint) => (
          <EndpointCard key={endpoint.name} endpoint={endpoint} />
        ))}
      </SimpleGrid>
      {creating && <EndpointForm endpoint={null} onClose={() => setCreating(false)} />}
    </Stack>
  );
}
