/** Counts in the browser; tokenizer and vocabulary are loaded when the first prompt is looked at. */
import { useEffect, useState } from "react";

type Count = (prompt: string, negative: boolean, steps: number) => number[];
let loading: Promise<Count> | undefined;

async function load(): Promise<Count> {
  const [{ default: merges }, { tokenizer }, { chunksOf }] = await Promise.all([
    import("../../../../inference_container/models/configs/sd15/tokenizer/merges.txt?raw"),
    import("./bpe"),
    import("./chunks"),
  ]);
  const count = tokenizer(merges);
  return (prompt, negative, steps) => chunksOf(prompt, negative, steps, count);
}

/** null: the vocabulary is not there yet. */
export function useChunks(prompt: string, negative: boolean, steps: number): number[] | null {
  const [count, setCount] = useState<{ by: Count } | null>(null);
  const wanted = prompt !== "";
  useEffect(() => {
    // Without the vocabulary there is no count; everything else works.
    if (wanted) (loading ??= load()).then((by) => setCount({ by }), () => undefined);
  }, [wanted]);
  return count && wanted ? count.by(prompt, negative, steps) : null;
}
