/** The texts that a prompt with `[from:to:when]` and `[a|b]` becomes, one for each step at which it changes. */
const EDIT = /^(?:([^:|]*):)?([^:|]*):\s*([\d.]+)\s*$/;
const INNERMOST = /\[([^[\]]*)\]/;
/** In place of brackets that are only emphasis, until all others are replaced. */
const [OPEN, CLOSE] = ["\uE000", "\uE001"];

export function texts(prompt: string, steps: number): string[] {
  if (!prompt.includes("[")) return [prompt];
  const all = Array.from({ length: Math.max(1, steps) }, (_, step) => textAt(prompt, step, steps));
  return [...new Set(all)];
}

function textAt(prompt: string, step: number, steps: number): string {
  let text = prompt;
  for (let found = INNERMOST.exec(text); found; found = INNERMOST.exec(text)) {
    const [whole, inside] = found as unknown as [string, string];
    text = text.slice(0, found.index) + chosen(inside, step, steps) + text.slice(found.index + whole.length);
  }
  return text.replaceAll(OPEN!, "[").replaceAll(CLOSE!, "]");
}

function chosen(inside: string, step: number, steps: number): string {
  const options = inside.split("|");
  if (options.length > 1) return options[step % options.length]!;
  const edit = EDIT.exec(inside);
  if (!edit) return OPEN + inside + CLOSE;
  const [, before = "", after, when] = edit;
  const change = when!.includes(".") ? Number(when) * steps : Number(when);
  return step < Math.trunc(change) ? before : after!;
}
