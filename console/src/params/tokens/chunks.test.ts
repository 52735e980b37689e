import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { tokenizer } from "./bpe";
import { chunksOf } from "./chunks";

const text = (path: string) => readFileSync(new URL(`../../../../${path}`, import.meta.url), "utf8");
const tokens = tokenizer(text("inference_container/models/configs/sd15/tokenizer/merges.txt"));
const vectors = JSON.parse(text("tests/console/vectors/tokens.json")) as { prompt: string; negative: boolean; chunks: number[] }[];

test.each(vectors)("$prompt (negative: $negative) has the container's tokens", ({ prompt, negative, chunks }) => {
  expect(chunksOf(prompt, negative, 20, tokens)).toEqual(chunks);
});
