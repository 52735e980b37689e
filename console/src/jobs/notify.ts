/** The system's notification when a job ends: chosen by the reader for all devices, allowed by each browser. */
import { usePreferences } from "../session/preferences";

const supported = (): boolean => typeof Notification !== "undefined";
export const allowed = (): boolean => supported() && Notification.permission === "granted";

/** Keeps the choice, and asks the browser if it is yes; false if the browser refuses. */
async function choose(wanted: boolean): Promise<boolean> {
  const done = !wanted || (supported() && (await Notification.requestPermission()) === "granted");
  if (done) usePreferences.getState().prefer({ notify: wanted });
  return done;
}

export function useNotify() {
  return { on: usePreferences(({ notify }) => notify) && allowed(), choose };
}

/** Shows it unless the reader is looking at the page. */
export function notify(title: string, body: string, tag: string): void {
  if (!usePreferences.getState().notify || !allowed() || document.hasFocus()) return;
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
