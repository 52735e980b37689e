/** The typed client of our API: it sends the session's key and locks the page when the key no longer works. */
import { type Schemas, openApi } from "@generate-on-cloud/client";
import { useSession } from "../session/session";

export type { Schemas };

/** Where `/v1/...` is: the page's own address, without its file and its fragment. */
export const API_ROOT = new URL(".", location.href).href.replace(/\/$/, "");

export const api = openApi({
  url: API_ROOT,
  key: () => useSession.getState().key,
  onRefused: (refused) => {
    const { key, lock } = useSession.getState();
    if (refused === key) lock();
  },
});
