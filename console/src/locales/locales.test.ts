import { readFileSync, readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import en from "./en.json";
import ja from "./ja.json";
import zh from "./zh-Hans.json";

type Tree = { [key: string]: string | Tree };

function flat(tree: Tree, prefix = ""): Record<string, string> {
  return Object.fromEntries(
    Object.entries(tree).flatMap(([key, value]) =>
      typeof value === "string" ? [[prefix + key, value]] : Object.entries(flat(value, `${prefix}${key}.`)),
    ),
  );
}
const placeholders = (text: string) => [...text.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name).toSorted();
const english = flat(en);
const document = JSON.parse(readFileSync(new URL("../../../docs/openapi.json", import.meta.url), "utf8"));
const { Task, ProblemCode, JobErrorCode, JobStatus, JobPhase, AssetStatus, AssetType, EndpointStatus } = document.components.schemas;

describe.each([
  ["ja", flat(ja)],
  ["zh-Hans", flat(zh)],
])("%s", (_, texts) => {
  test("has every text, and no other", () => {
    expect(Object.keys(texts).toSorted()).toEqual(Object.keys(english).toSorted());
  });
  test("has the same values in its texts", () => {
    for (const [key, text] of Object.entries(texts)) expect([key, placeholders(text)]).toEqual([key, placeholders(english[key]!)]);
  });
});

test.each([
  ["task", Task.enum],
  ["problem", ProblemCode.enum],
  ["jobError", JobErrorCode.enum],
  ["status", JobStatus.enum],
  ["phase", JobPhase.enum],
  ["assetStatus", AssetStatus.enum],
  ["assetType", AssetType.enum],
  ["endpointStatus", EndpointStatus.enum],
])("every %s of the API has a sentence", (group, names: string[]) => {
  expect(names.filter((name) => !(`${group}.${name}` in english))).toEqual([]);
});

test("components have no text of their own", () => {
  const folder = new URL("../", import.meta.url);
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".tsx"));
  const literal = /(?<!=)>\s*([A-Za-z][A-Za-z ,.']{2,})\s*</g;
  const found = files.flatMap((name) =>
    [...readFileSync(new URL(name, folder), "utf8").matchAll(literal)].map(([, text]) => `${name}: ${text}`),
  );
  expect(found).toEqual([
    // The name of a command.
    "session/SignIn.tsx: make local",
  ]);
});
