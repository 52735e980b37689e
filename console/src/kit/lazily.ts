/** Parts of the page that are loaded when they are needed, also when the network is gone just then. */
import { lazy } from "react";

const PAUSE_MS = 2000;
const RELOADED = "goc.reloaded";
const AGAIN_MS = 60_000;

/** Whatever React's `lazy` takes. */
type Part = Parameters<typeof lazy>[0] extends () => Promise<{ default: infer Component }> ? Component : never;

/** As React's `lazy`, but it asks until the part comes: an import that failed once would leave the page empty. */
export function lazily<One extends Part>(load: () => Promise<{ default: One }>) {
  return lazy(() => untilLoaded(load));
}

async function untilLoaded<Module>(load: () => Promise<Module>): Promise<Module> {
  for (let tries = 1; ; tries++) {
    try {
      return await load();
    } catch (error) {
      // The service answers, yet the part does not come: it was deployed anew, and its parts have other names.
      if (tries > 1 && (await answers())) reload(error);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

const answers = (): Promise<boolean> =>
  fetch(location.pathname, { cache: "no-store" }).then(
    ({ ok }) => ok,
    () => false,
  );

/** Once; the form is kept. Throws `error` if that was tried a moment ago. */
function reload(error: unknown) {
  if (Date.now() - Number(sessionStorage.getItem(RELOADED)) < AGAIN_MS) throw error;
  sessionStorage.setItem(RELOADED, String(Date.now()));
  location.reload();
}
