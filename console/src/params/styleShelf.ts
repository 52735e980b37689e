/** The reader's styles, which the API keeps among the preferences for all front ends. */
import { create } from "zustand";
import { api } from "../api/client";
import { ProblemError, unwrap } from "../api/problem";
import type { Styles } from "./styles";

const TRIES = 3;

interface Shelf {
  /** null: not read yet. */
  styles: Styles | null;
  load: () => Promise<Styles>;
  change: (change: (styles: Styles) => Styles) => Promise<void>;
}

export const useStyleShelf = create<Shelf>((set, get) => ({
  styles: null,
  load: async () => get().styles ?? (await read(set)).styles,
  // Other front ends write the same document: it is read, changed, and written only if nobody else wrote it.
  change: async (change) => {
    for (let left = TRIES; ; left--) {
      const { document, tag, styles } = await read(set);
      const changed = change(styles);
      const body = { preferences: { ...document, styles: changed } };
      try {
        await unwrap(api.PUT("/v1/me/preferences", { headers: { "If-Match": tag }, body: body as never }));
        set({ styles: changed });
        return;
      } catch (error) {
        if (left === 1 || !(error instanceof ProblemError && error.code === "changed_meanwhile")) throw error;
      }
    }
  },
}));

async function read(set: (shelf: Partial<Shelf>) => void) {
  const { preferences: document, tag } = await unwrap(api.GET("/v1/me/preferences"));
  const styles = (document.styles ?? {}) as Styles;
  set({ styles });
  return { document, tag, styles };
}
