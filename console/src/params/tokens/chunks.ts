/** How many tokens of a prompt are in each of CLIP's chunks of 75, as WebUI splits it. */
import type { Tokenizer } from "./bpe";
import { CHUNK } from "./size";
import { texts } from "./variants";

/** WebUI's "Prompt word wrap length limit". */
const COMMA_BACKTRACK = 20;
const COMMENT_LINE = /(?:^|\n)#[^\n]*(?:\n|$)/g;
const COMMENT_AT_END = /#[^\n]*(?:\n|$)/g;
const TAG = /<\w+:[^>]+>/g;
const WEIGHT_AT_END = /:\s*[-+]?(?:\d+(?:\.\d*)?|\.\d+)\s*$/;
const PIECE = /\\([()[\]\\])|(\\)|([([])|:\s*([+-]?[.\d]+)\s*\)|([)\]])|([^\\()[\]:]+)|:/g;

/** The longest of the texts that the prompt becomes in the course of the steps; at least one chunk. */
export function chunksOf(prompt: string, negative: boolean, steps: number, tokens: Tokenizer): number[] {
  const plain = prompt.replace(COMMENT_LINE, "\n").replace(COMMENT_AT_END, "\n");
  // In negative prompts tags and AND are text.
  const parts = negative ? [plain] : plain.replace(TAG, "").split(/\bAND\b/).map(withoutWeight);
  const all = parts.flatMap((part) => texts(part, steps)).map((text) => split(text, tokens));
  const sum = (chunks: number[]) => CHUNK * (chunks.length - 1) + chunks.at(-1)!;
  return all.reduce((longest, chunks) => (sum(chunks) > sum(longest) ? chunks : longest));
}

const withoutWeight = (part: string): string => part.replace(WEIGHT_AT_END, "").trimEnd();

function split(text: string, tokens: Tokenizer): number[] {
  const chunks: number[] = [];
  let chunk: string[] = [];
  const end = () => {
    chunks.push(chunk.length);
    chunk = [];
  };
  for (const words of pieces(text)) {
    if (words === null) {
      end();
      continue;
    }
    for (const token of tokens(words)) {
      if (chunk.length === CHUNK) {
        const comma = chunk.lastIndexOf(",</w>");
        const rest = token !== ",</w>" && comma >= 0 && CHUNK - comma <= COMMA_BACKTRACK ? chunk.splice(comma + 1) : [];
        end();
        chunk = rest;
      }
      chunk.push(token);
    }
  }
  if (chunk.length > 0 || chunks.length === 0) end();
  return chunks;
}

/** Texts of one weight each, without the brackets; null: BREAK, which ends a chunk. */
function pieces(text: string): (string | null)[] {
  const found: { text: string | null; weight: number }[] = [];
  const open: Record<string, number[]> = { "(": [], "[": [] };
  const close = (bracket: string, factor: number) => {
    for (const piece of found.slice(open[bracket]!.pop())) piece.weight *= factor;
  };
  const add = (words: string) =>
    words.split(/\bBREAK\b/).forEach((part, index, parts) => {
      if (index > 0) found.push({ text: null, weight: -1 });
      const ends = index > 0 ? part.trimStart() : part;
      found.push({ text: index < parts.length - 1 ? ends.trimEnd() : ends, weight: 1 });
    });
  for (const [whole, escaped, backslash, opening, weight, closing] of text.matchAll(PIECE)) {
    if (escaped !== undefined) found.push({ text: escaped, weight: 1 });
    else if (backslash !== undefined) continue;
    else if (opening !== undefined) open[opening]!.push(found.length);
    else if (weight !== undefined && open["("]!.length > 0) close("(", Number(weight));
    else if (closing === ")" && open["("]!.length > 0) close("(", 1.1);
    else if (closing === "]" && open["["]!.length > 0) close("[", 1 / 1.1);
    else add(whole);
  }
  for (const [bracket, factor] of [["(", 1.1], ["[", 1 / 1.1]] as const) while (open[bracket]!.length > 0) close(bracket, factor);
  const merged: typeof found = [];
  for (const piece of found) {
    const last = merged.at(-1);
    if (last?.weight === piece.weight && typeof last.text === "string" && piece.text !== null) last.text += piece.text;
    else merged.push(piece);
  }
  // A BREAK whose weight brackets have changed is an ordinary word.
  return merged.map(({ text: words, weight }) => (words === null && weight !== -1 ? "BREAK" : words));
}
