/** WebUI's styles: named texts that are merged into both prompts, and the table `styles.csv` that holds them. */
export interface Style {
  prompt: string;
  negative_prompt: string;
}
export type Styles = Record<string, Style>;

const PLACEHOLDER = "{prompt}";
const COLUMNS = ["name", "prompt", "negative_prompt"] as const;

/** In the order of the names; names that no style has are ignored, as in WebUI. */
export function applyStyles(prompt: string, negative: string, names: readonly string[], styles: Styles): [string, string] {
  return names.reduce<[string, string]>(
    ([positive, other], name) => {
      const style = styles[name];
      return style ? [merge(style.prompt, positive), merge(style.negative_prompt, other)] : [positive, other];
    },
    [prompt, negative],
  );
}

function merge(style: string, prompt: string): string {
  if (style.includes(PLACEHOLDER)) return style.replaceAll(PLACEHOLDER, prompt);
  return [prompt.trim(), style.trim()].filter(Boolean).join(", ");
}

/** null: the text is no such table. The last of several rows with a name counts. */
export function readStyles(text: string): Styles | null {
  const [columns = [], ...rows] = table(text.replace(/^\uFEFF/, ""));
  const name = columns.indexOf("name");
  const prompt = columns.includes("prompt") ? columns.indexOf("prompt") : columns.indexOf("text");
  const negative = columns.indexOf("negative_prompt");
  if (name < 0 || prompt < 0) return null;
  const named = rows.filter((row) => row[name]);
  return Object.fromEntries(
    named.map((row) => [row[name]!, { prompt: row[prompt] ?? "", negative_prompt: row[negative] ?? "" }]),
  );
}

export function writeStyles(styles: Styles): string {
  const rows = Object.entries(styles).map(([name, style]) => [name, style.prompt, style.negative_prompt]);
  const quoted = (text: string) => (/[",\r\n]|^\s/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return [COLUMNS, ...rows].map((row) => `${row.map(quoted).join(",")}\n`).join("");
}

function table(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = "";
  let quoted = false;
  const endCell = () => {
    row.push(cell);
    cell = "";
  };
  const endRow = () => {
    endCell();
    if (row.some(Boolean)) rows.push(row);
    row = [];
  };
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (quoted && character === '"' && text[i + 1] === '"') cell += text[++i];
    else if (quoted && character === '"') quoted = false;
    else if (quoted) cell += character;
    else if (cell === "" && character === '"') quoted = true;
    else if (character === ",") endCell();
    else if (character === "\n") endRow();
    else if (character !== "\r" && !(cell === "" && character === " ")) cell += character;
  }
  endRow();
  return rows;
}
