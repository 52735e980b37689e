/** CLIP's byte-pair tokenizer, from the list of merges that its vocabulary is made of. */

/** CLIP's own rule for words; what is between them are blanks. */
const WORD = /<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+/giu;
const END = "</w>";

export type Tokenizer = (text: string) => string[];

/** @param merges lines of two pieces each, the most frequent pair first; the first line is a version */
export function tokenizer(merges: string): Tokenizer {
  const ranks = new Map(merges.split("\n").slice(1).map((line, rank) => [line, rank]));
  const known = new Map<string, string[]>();
  const split = (word: string): string[] => {
    let pieces = known.get(word);
    if (pieces === undefined) known.set(word, (pieces = word.startsWith("<|") ? [word] : merged(bytes(word), ranks)));
    return pieces;
  };
  return (text) => (text.normalize("NFC").replace(/\s+/g, " ").toLowerCase().match(WORD) ?? []).flatMap(split);
}

function bytes(word: string): string[] {
  const pieces = [...new TextEncoder().encode(word)].map((byte) => CHARACTERS[byte]!);
  pieces[pieces.length - 1] += END;
  return pieces;
}

function merged(pieces: string[], ranks: ReadonlyMap<string, number>): string[] {
  while (pieces.length > 1) {
    const pairs = pieces.slice(1).map((piece, index) => ranks.get(`${pieces[index]} ${piece}`) ?? Infinity);
    const best = Math.min(...pairs);
    if (best === Infinity) break;
    const joined: string[] = [];
    for (let i = 0; i < pieces.length; i++) {
      if (pairs[i] === best) {
        joined.push(pieces[i]! + pieces[i + 1]!);
        i++;
      } else joined.push(pieces[i]!);
    }
    pieces = joined;
  }
  return pieces;
}

/** GPT-2's printable character for each byte. */
const CHARACTERS: string[] = (() => {
  const printable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
})();
