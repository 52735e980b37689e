import { expect, test } from "vitest";
import { type Edit, changeWeight, unclosed } from "./weights";

/** `|` is the caret; two of them are the ends of the selection. */
function read(marked: string): Edit {
  const [from, to] = [marked.indexOf("|"), marked.lastIndexOf("|")];
  return { text: marked.replaceAll("|", ""), from, to: from === to ? to : to - 1 };
}
const write = ({ text, from, to }: Edit) => `${text.slice(0, from)}|${text.slice(from, to)}|${text.slice(to)}`;

test.each([
  ["a word", "a red c|at", "up", "a red (|cat|:1.1)"],
  ["a word, down", "a red c|at", "down", "a red (|cat|:0.9)"],
  ["a word at the end", "a cat|", "up", "a (|cat|:1.1)"],
  ["a selection", "a |red cat|, big", "up", "a (|red cat|:1.1), big"],
  ["a selection with blanks round it", "a| red cat |now", "up", "a (|red cat|:1.1) now"],
  ["a weight, up", "a (c|at:1.1)", "up", "a (|cat|:1.2)"],
  ["a weight, down to 1", "a (c|at:1.1), b", "down", "a |cat|, b"],
  ["a weight up to 1", "a (c|at:0.9)", "up", "a |cat|"],
  ["a weight that becomes whole", "(c|at:1.9)", "up", "(|cat|:2.0)"],
  ["a weight with the caret in the number", "(cat:1.|2)", "up", "(|cat|:1.3)"],
  ["a negative weight", "(c|at:-0.1)", "down", "(|cat|:-0.2)"],
  ["several words in brackets", "(a red c|at:1.2)", "up", "(|a red cat|:1.3)"],
  ["the selection that a step left", "(|cat|:1.1)", "up", "(|cat|:1.2)"],
  ["brackets without a number", "(c|at)", "up", "(|cat|:1.2)"],
  ["two brackets without a number", "a ((c|at)) b", "up", "a (|cat|:1.3) b"],
  ["brackets that weaken", "[c|at]", "down", "(|cat|:0.8)"],
  ["a LoRA", "<lora:st|yle:0.8>", "up", "<|lora:style|:0.85>"],
  ["a LoRA at 1", "<lora:st|yle:1>", "down", "<|lora:style|:0.95>"],
  ["a LoRA to 1", "<lora:st|yle:0.95>", "up", "<|lora:style|:1.0>"],
  ["a hypernetwork", "a <hypernet:x|:0.5> b", "down", "a <|hypernet:x|:0.45> b"],
  ["the inner of two brackets", "(a (c|at:1.1) b:1.4)", "up", "(a (|cat|:1.2) b:1.4)"],
  ["Japanese", "赤い|猫", "up", "(|赤い猫|:1.1)"],
])("%s", (_, before, direction, after) => {
  const edit = changeWeight(read(before), direction === "up");
  expect(edit && write(edit)).toBe(after);
});

test.each([
  ["an empty prompt", "|"],
  ["between two blanks", "a | b"],
  ["a network without a weight", "<lo|ra>"],
  ["a weight that is no number", "(|cat|:dog)"],
])("%s has no weight to change", (_, before) => {
  expect(changeWeight(read(before), true)).toBeNull();
});

test("up and down again is where it began", () => {
  const start = read("a red |cat|, big");
  let edit: Edit | null = start;
  for (let i = 0; i < 15; i++) edit = edit && changeWeight(edit, true);
  expect(edit?.text).toBe("a red (cat:2.5), big");
  for (let i = 0; i < 15; i++) edit = edit && changeWeight(edit, false);
  expect(edit).toEqual(start);
});

test.each([
  ["a (cat:1.2), [dog], <lora:x:1>", null],
  ["a (cat", "("],
  ["a cat)", ")"],
  ["(a [cat)", ")"],
  ["a <lora:x:1", "<"],
  ["a \\(cat and 1 < 2", null],
])("the bracket of %j without its other half is %j", (text, bracket) => {
  expect(unclosed(text)).toBe(bracket);
});
