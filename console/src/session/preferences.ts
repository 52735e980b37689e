/** What a reader prefers on every device: kept by the API as its part `console`, and in this browser meanwhile. */
import { create } from "zustand";
import { api } from "../api/client";
import { ProblemError, unwrap } from "../api/problem";
import type { Language } from "../i18n";
import { DEFAULT_PATTERN } from "../jobs/names";

export interface Preferences {
  /** Null: the browser's. */
  language: Language | null;
  theme: "auto" | "light" | "dark";
  fileName: string;
  notify: boolean;
}

const START: Preferences = { language: null, theme: "auto", fileName: DEFAULT_PATTERN, notify: false };
const STORED = "goc.preferences";
const SAVED_AFTER_MS = 400;

interface Store extends Preferences {
  /** Whether the API's have been read. */
  loaded: boolean;
  prefer: (change: Partial<Preferences>) => void;
  load: () => Promise<void>;
}

function stored(): Partial<Preferences> {
  try {
    return JSON.parse(localStorage.getItem(STORED) ?? "{}") as Partial<Preferences>;
  } catch {
    return {};
  }
}

const only = ({ language, theme, fileName, notify }: Preferences): Preferences => ({ language, theme, fileName, notify });

let saving: ReturnType<typeof setTimeout> | undefined;
/** What has changed here since it was last written there. */
let waiting: Partial<Preferences> = {};

export const usePreferences = create<Store>((set, get) => ({
  ...START,
  ...stored(),
  loaded: false,
  prefer: (change) => {
    set(change);
    keep(only(get()));
    waiting = { ...waiting, ...change };
    clearTimeout(saving);
    saving = setTimeout(() => void save(), SAVED_AFTER_MS);
  },
  load: async () => {
    const { preferences } = await unwrap(api.GET("/v1/me/preferences"));
    set({ ...(preferences.console as Partial<Preferences> | undefined), ...waiting, loaded: true });
    keep(only(get()));
  },
}));

/** Other front ends have parts of the same document: it is read, changed and written only if nobody else wrote it. */
async function save(): Promise<void> {
  const change = waiting;
  for (let tries = 0; tries < 3; tries++) {
    try {
      const { preferences, tag } = await unwrap(api.GET("/v1/me/preferences"));
      const changed = { ...preferences, console: { ...(preferences.console as object | undefined), ...change } };
      await unwrap(
        api.PUT("/v1/me/preferences", { headers: { "If-Match": tag }, body: { preferences: changed } as never }),
      );
      waiting = Object.fromEntries(Object.entries(waiting).filter(([name, value]) => change[name as keyof Preferences] !== value));
      return;
    } catch (error) {
      if (!(error instanceof ProblemError && error.code === "changed_meanwhile")) return;
    }
  }
}

function keep(preferences: Preferences): void {
  try {
    localStorage.setItem(STORED, JSON.stringify(preferences));
  } catch {
    // Without storage they live as long as the page, and in the API.
  }
}
