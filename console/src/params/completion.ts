/** What could stand at the caret of a prompt: a network's tag after `<`, or an embedding's name. */
export interface Names {
  loras: readonly string[];
  hypernetworks: readonly string[];
  embeddings: readonly string[];
}

export interface Completion {
  /** The part of the text that an option replaces. */
  from: number;
  to: number;
  options: string[];
}

const MOST = 12;
const LEAST_LETTERS = 2;
const TAG = /<(?:(lora|hypernet):)?([^<>\n]*)$/i;
const WORD = /[^\s,()[\]:|<>][^,()[\]:|<>\n]*$/;

/** null: nothing fits. */
export function complete(text: string, caret: number, names: Names): Completion | null {
  const before = text.slice(0, caret);
  const tag = TAG.exec(before);
  const found = tag ? tagsFor(tag[1]?.toLowerCase(), tag[2]!, names) : [];
  if (tag) return found.length > 0 ? { from: tag.index, to: tagEnd(text, caret), options: found } : null;
  return embeddingAt(before, caret, names.embeddings);
}

function tagsFor(kind: string | undefined, typed: string, { loras, hypernetworks }: Names): string[] {
  const tags = (word: string, all: readonly string[]) =>
    kind === undefined || kind === word ? matching(all, typed).map((name) => `<${word}:${name}:1>`) : [];
  return [...tags("lora", loras), ...tags("hypernet", hypernetworks)].slice(0, MOST);
}

/** Those that begin with what is typed come first. */
function matching(all: readonly string[], typed: string): string[] {
  const wanted = typed.trim().toLowerCase();
  const begins = (name: string) => name.toLowerCase().startsWith(wanted);
  const found = all.filter((name) => name.toLowerCase().includes(wanted));
  return [...found.filter(begins), ...found.filter((name) => !begins(name))];
}

/** A tag that is already closed is replaced as a whole. */
function tagEnd(text: string, caret: number): number {
  const rest = /^[^<>\n,]*>/.exec(text.slice(caret));
  return caret + (rest ? rest[0].length : 0);
}

/** The typed words may be the beginning of a name with blanks, or only the last of them. */
function embeddingAt(before: string, caret: number, embeddings: readonly string[]): Completion | null {
  let typed = WORD.exec(before)?.[0] ?? "";
  while (typed.length >= LEAST_LETTERS) {
    const wanted = typed.toLowerCase();
    const options = embeddings.filter((name) => name.toLowerCase().startsWith(wanted) && name.length > typed.length);
    if (options.length > 0) return { from: caret - typed.length, to: caret, options: options.slice(0, MOST) };
    const blank = typed.indexOf(" ");
    typed = blank < 0 ? "" : typed.slice(blank + 1).trimStart();
  }
  return null;
}
