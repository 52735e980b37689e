/** Prompts that were sent from this browser, newest last. */
import { create } from "zustand";
import { persist } from "zustand/middleware";

const MOST = 50;

interface History {
  prompts: string[];
  add: (prompt: string) => void;
}

export const usePromptHistory = create<History>()(
  persist(
    (set) => ({
      prompts: [],
      add: (prompt) =>
        set(({ prompts }) =>
          prompt.trim() === "" ? {} : { prompts: [...prompts.filter((each) => each !== prompt), prompt].slice(-MOST) },
        ),
    }),
    { name: "goc.prompts" },
  ),
);

/** The prompt before or after this one; what is not in the history is newer than all of it. null: there is no other. */
export function neighbour(prompts: readonly string[], prompt: string, earlier: boolean): string | null {
  const place = prompts.indexOf(prompt);
  const from = place < 0 ? prompts.length : place;
  return prompts[earlier ? from - 1 : from + 1] ?? null;
}
