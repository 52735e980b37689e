/** A table of things with what can be done to each at the end of its row; it scrolls sideways in a narrow window. */
import { Group, Table, VisuallyHidden } from "@mantine/core";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

export interface Column<Row> {
  title: string;
  cell: (row: Row) => ReactNode;
  /** A name or a number that is read letter by letter. */
  mono?: boolean;
}

interface Props<Row> {
  rows: Row[];
  keyOf: (row: Row) => string;
  columns: Column<Row>[];
  /** Buttons; none: the table has no such column. */
  actions?: (row: Row) => ReactNode;
  minWidth: number;
}

export function RowTable<Row>({ rows, keyOf, columns, actions, minWidth }: Props<Row>) {
  const { t } = useTranslation();
  return (
    <Table.ScrollContainer minWidth={minWidth} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
      <Table verticalSpacing="xs">
        <Table.Thead>
          <Table.Tr>
            {columns.map(({ title }) => (
              <Table.Th key={title} className="unbroken">{title}</Table.Th>
            ))}
            {actions && (
              <Table.Th>
                <VisuallyHidden>{t("table.actions")}</VisuallyHidden>
              </Table.Th>
            )}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={keyOf(row)}>
              {columns.map(({ title, cell, mono }) => (
                <Table.Td key={title} className={mono ? "mono" : undefined}>
                  {cell(row)}
                </Table.Td>
              ))}
              {actions && (
                <Table.Td>
                  <Group gap="xs" wrap="nowrap" justify="flex-end">
                    {actions(row)}
                  </Group>
                </Table.Td>
              )}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
