/** Ctrl+Up and Ctrl+Down as in WebUI: the weight of a selection, of the brackets round the caret, or of its word. */
export interface Edit {
  text: string;
  /** The selection. */
  from: number;
  to: number;
}

/** WebUI's "Precision for (attention:1.1)" and "Precision for <extra networks:0.9>". */
const STEP = 0.1;
const NETWORK_STEP = 0.05;
/** WebUI's "Word delimiters", with the blanks. */
const DELIMITERS = ".,\\/!?%^*;:{}=`~() \t\r\n";
const WEIGHTED = /^(.*):-?[\d.]+$/s;

/** null: there is nothing here to give a weight to. */
export function changeWeight(edit: Edit, up: boolean): Edit | null {
  const chosen = edit.from === edit.to ? aroundCaret(edit) : edit;
  const before = chosen.text[chosen.from - 1] ?? "";
  if (before === "<") return stepped(chosen, ">", up ? NETWORK_STEP : -NETWORK_STEP);
  const weighted = withWeight(trimmed(chosen));
  return weighted && stepped(weighted, ")", up ? STEP : -STEP);
}

function aroundCaret(edit: Edit): Edit {
  return inBrackets(edit, "<", ">") ?? inBrackets(edit, "(", ")") ?? inBrackets(edit, "[", "]") ?? word(edit);
}

/** What is inside the innermost pair round the caret, without its weight. */
function inBrackets({ text, from: caret }: Edit, open: string, close: string): Edit | null {
  const before = text.slice(0, caret);
  const after = text.slice(caret);
  const start = before.lastIndexOf(open);
  const end = after.indexOf(close);
  if (start < 0 || end < 0 || before.lastIndexOf(close) > start) return null;
  const next = after.indexOf(open);
  if (next >= 0 && next < end) return null;
  const inside = text.slice(start + 1, caret + end);
  const content = WEIGHTED.exec(inside)?.[1] ?? inside;
  return { text, from: start + 1, to: start + 1 + content.length };
}

function word({ text, from, to }: Edit): Edit {
  while (from > 0 && !DELIMITERS.includes(text[from - 1]!)) from--;
  while (to < text.length && !DELIMITERS.includes(text[to]!)) to++;
  return { text, from, to };
}

function trimmed({ text, from, to }: Edit): Edit {
  while (to > from && text[to - 1] === " ") to--;
  while (from < to && text[from] === " ") from++;
  return { text, from, to };
}

/** The selection between `(` and `:weight)`: brackets without a number count 1.1 each, or its inverse. */
function withWeight({ text, from, to }: Edit): Edit | null {
  if (from === to) return null;
  const open = text[from - 1];
  const close = text[to];
  if (open === "(" && close === ":") return { text, from, to };
  let depth = 0;
  if ((open === "(" && close === ")") || (open === "[" && close === "]"))
    while (text[from - depth - 1] === open && text[to + depth] === close) depth++;
  const weight = Math.round(1.1 ** (open === "[" ? -depth : depth) / STEP) * STEP;
  const start = from - depth;
  return {
    text: `${text.slice(0, start)}(${text.slice(from, to)}:${shown(weight)})${text.slice(to + depth)}`,
    from: start + 1,
    to: start + 1 + to - from,
  };
}

function stepped({ text, from, to }: Edit, close: string, step: number): Edit | null {
  const end = text.indexOf(close, to);
  if (text[to] !== ":" || end < 0) return null;
  const number = text.slice(to + 1, end);
  if (!/^-?[\d.]+$/.test(number) || Number.isNaN(Number(number))) return null;
  const weight = Number((Number(number) + step).toPrecision(12));
  if (close === ")" && weight === 1)
    return { text: text.slice(0, from - 1) + text.slice(from, to) + text.slice(end + 1), from: from - 1, to: to - 1 };
  return { text: `${text.slice(0, to + 1)}${shown(weight)}${text.slice(end)}`, from, to };
}

function shown(weight: number): string {
  const rounded = Number(weight.toPrecision(12));
  return Number.isInteger(rounded) ? `${rounded}.0` : String(rounded);
}

const PAIRS: Record<string, string> = { ")": "(", "]": "[", ">": "<" };

/** The first bracket without its other half; null: all are in pairs. A backslash makes a bracket text. */
export function unclosed(text: string): string | null {
  const open: string[] = [];
  for (const [bracket] of text.replace(/\\./gs, "").matchAll(/[()[\]]|<(?=\w+:)|(?<=:[^<>]*)>/g)) {
    if (!(bracket in PAIRS)) open.push(bracket);
    else if (open.at(-1) === PAIRS[bracket]) open.pop();
    else return bracket;
  }
  return open[0] ?? null;
}
