/** The one place that knows the key: in memory and in this tab's sessionStorage, never in an address or a log. */
import { create } from "zustand";

const STORED = "goc.key";
const STORED_LASTING = "goc.key.lasting";

interface Session {
  key: string | null;
  /** The key stopped working: the page asks for another one and keeps everything it holds. */
  locked: boolean;
  signIn: (key: string, lasting: boolean) => void;
  lock: () => void;
  signOut: () => void;
}

function stored(): string | null {
  try {
    return sessionStorage.getItem(STORED) ?? localStorage.getItem(STORED_LASTING);
  } catch {
    return null;
  }
}

function store(key: string | null, lasting: boolean): void {
  try {
    sessionStorage.removeItem(STORED);
    localStorage.removeItem(STORED_LASTING);
    if (key !== null) (lasting ? localStorage : sessionStorage).setItem(lasting ? STORED_LASTING : STORED, key);
  } catch {
    // A browser without storage keeps the key until the page is closed.
  }
}

export const useSession = create<Session>((set) => ({
  key: stored(),
  locked: false,
  signIn: (key, lasting) => {
    store(key, lasting);
    set({ key, locked: false });
  },
  lock: () => {
    store(null, false);
    set({ locked: true });
  },
  signOut: () => {
    store(null, false);
    set({ key: null, locked: false });
  },
}));
