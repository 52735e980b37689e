import { expect, test } from "vitest";
import { complete } from "./completion";

const NAMES = {
  loras: ["style-ink", "ink", "pastel"],
  hypernetworks: ["ink-net"],
  embeddings: ["EasyNegative", "bad hands", "bad_prompt"],
};

/** `|` is the caret; what is answered is the text after taking each option. */
function taken(marked: string): string[] {
  const caret = marked.indexOf("|");
  const text = marked.replace("|", "");
  const found = complete(text, caret, NAMES);
  return found?.options.map((option) => text.slice(0, found.from) + option + text.slice(found.to)) ?? [];
}

test.each([
  ["after < everything", "a <|", ["a <lora:style-ink:1>", "a <lora:ink:1>", "a <lora:pastel:1>", "a <hypernet:ink-net:1>"]],
  ["what begins so comes first", "<ink|", ["<lora:ink:1>", "<lora:style-ink:1>", "<hypernet:ink-net:1>"]],
  ["after the kind only that kind", "<hypernet:|", ["<hypernet:ink-net:1>"]],
  ["letters of either case", "<LORA:PAS|, b", ["<lora:pastel:1>, b"]],
  ["a closed tag is replaced", "<lora:pas|x:0.5> b", ["<lora:pastel:1> b"]],
  ["after a closed tag nothing", "<lora:ink:1>|", []],
  ["an unknown network", "<lora:zzz|", []],
  ["an embedding", "a cat, easy|", ["a cat, EasyNegative"]],
  ["an embedding after other words", "a cat bad|", ["a cat bad hands", "a cat bad_prompt"]],
  ["an embedding with a blank", "bad h|", ["bad hands"]],
  ["an embedding in brackets", "(bad_|:1.2)", ["(bad_prompt:1.2)"]],
  ["one letter is too few", "b|", []],
  ["a whole name", "EasyNegative|", []],
  ["no prompt", "|", []],
])("%s", (_, marked, texts) => {
  expect(taken(marked)).toEqual(texts);
});

test("a long list is cut", () => {
  const loras = Array.from({ length: 500 }, (_, index) => `l${index}`);
  expect(complete("<", 1, { ...NAMES, loras })!.options).toHaveLength(12);
});
