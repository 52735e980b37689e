import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { applyStyles, readStyles, writeStyles } from "./styles";

interface Vector {
  name: string;
  csv: string;
  prompt: string;
  negative_prompt: string;
  names: string[];
  result: [string, string];
}
const file = new URL("../../../tests/console/vectors/styles.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8")) as Vector[];

test.each(vectors)("$name: merged as in Python", ({ csv, prompt, negative_prompt, names, result }) => {
  expect(applyStyles(prompt, negative_prompt, names, readStyles(csv)!)).toEqual(result);
});

test.each(vectors)("$name: the table is read as it was written", ({ csv }) => {
  const styles = readStyles(csv)!;
  expect(readStyles(writeStyles(styles))).toEqual(styles);
});

test("another table is none of styles", () => {
  expect(readStyles("a,b\n1,2\n")).toBeNull();
});
