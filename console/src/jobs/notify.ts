/** Whether the reader wants the system's notification when a job ends; asked of the browser only when they choose it. */
import { create } from "zustand";

const STORED = "goc.notify";

interface Notify {
  on: boolean;
  /** Whether it is as asked; false if the browser refuses. */
  choose: (on: boolean) => Promise<boolean>;
}

const supported = (): boolean => typeof Notification !== "undefined";

function stored(): boolean {
  try {
    return localStorage.getItem(STORED) === "on" && supported() && Notification.permission === "granted";
  } catch {
    return false;
  }
}

export const useNotify = create<Notify>((set) => ({
  on: stored(),
  choose: async (wanted) => {
    const on = wanted && supported() && (await Notification.requestPermission()) === "granted";
    try {
      localStorage.setItem(STORED, on ? "on" : "off");
    } catch {
      // Without storage the choice ends with the page.
    }
    set({ on });
    return on === wanted;
  },
}));

/** Shows it unless the reader is looking at the page. */
export function notify(title: string, body: string, tag: string): void {
  if (!useNotify.getState().on || document.hasFocus()) return;
  try {
    const shown = new Notification(title, { body, tag });
    shown.addEventListener("click", () => {
      window.focus();
      shown.close();
    });
  } catch {
    // Chrome on Android has no notifications without a service worker.
  }
}
