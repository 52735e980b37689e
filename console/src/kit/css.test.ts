import { readFileSync, readdirSync } from "node:fs";
import postcss, { CssSyntaxError, type Container } from "postcss";
import { describe, expect, test } from "vitest";

const folder = new URL("../", import.meta.url);
const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
const read = (name: string) => readFileSync(new URL(name, folder), "utf8");
const sheets = names.filter((name) => name.endsWith(".css"));
const sources = names.filter((name) => name.endsWith(".tsx")).map(read).join("\n");

/** What is wrong with a style sheet. The build itself nests what follows a lost brace, and says nothing. */
function faults(text: string): string[] {
  let sheet: Container;
  try {
    sheet = postcss.parse(text);
  } catch (error) {
    if (error instanceof CssSyntaxError) return [`${error.line}: ${error.reason}`];
    throw error;
  }
  const found: string[] = [];
  sheet.walkRules((rule) => {
    if (rule.parent?.type === "rule") found.push(`${rule.source?.start?.line}: ${rule.selector} is inside another rule`);
    if (rule.nodes.length === 0) found.push(`${rule.source?.start?.line}: ${rule.selector} is empty`);
  });
  sheet.walkDecls((declaration) => {
    if (!/^(--)?[a-z-]+$/.test(declaration.prop)) found.push(`${declaration.source?.start?.line}: ${declaration.prop}`);
  });
  return found;
}

describe.each(sheets)("%s", (name) => {
  const text = read(name);
  test("has no fault", () => {
    expect(faults(text)).toEqual([]);
  });
  test("has no class that no component uses", () => {
    const classes = new Set([...text.matchAll(/\.([a-z][\w-]*)(?=[^{}]*\{)/g)].map(([, found]) => found!));
    expect([...classes].filter((each) => !new RegExp(`["\`\\s]${each}["\`\\s]`).test(sources))).toEqual([]);
  });
});

test.each([
  ["a lost brace", ".a {\n  color: red;\n.b {\n  color: blue;\n}\n"],
  ["a brace too many", ".a {\n  color: red;\n}\n}\n"],
  ["a lost brace, made good for later", ".a {\n  color: red;\n.b {\n  color: blue;\n}\n}\n"],
  ["a lost semicolon", ".a {\n  color: red\n  width: 1px;\n}\n"],
  ["a rule without declarations", ".a {\n}\n"],
])("%s is found", (_, text) => {
  expect(faults(text)).not.toEqual([]);
});
