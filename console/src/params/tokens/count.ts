/** Counts in the browser; the vocabulary is loaded when the first prompt is looked at. */
import { useEffect, useState } from "react";
import { type Tokenizer, tokenizer } from "./bpe";
import { chunksOf } from "./chunks";

let loading: Promise<Tokenizer> | undefined;

function load(): Promise<Tokenizer> {
  loading ??= import("../../../../inference_container/models/configs/sd15/tokenizer/merges.txt?raw").then(
    ({ default: merges }) => tokenizer(merges),
  );
  return loading;
}

/** null: the vocabulary is not there yet. */
export function useChunks(prompt: string, negative: boolean, steps: number): number[] | null {
  const [tokens, setTokens] = useState<{ count: Tokenizer } | null>(null);
  const wanted = prompt !== "";
  useEffect(() => {
    // Without the vocabulary there is no count; everything else works.
    if (wanted) load().then((count) => setTokens({ count }), () => undefined);
  }, [wanted]);
  return tokens && wanted ? chunksOf(prompt, negative, steps, tokens.count) : null;
}
