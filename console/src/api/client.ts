/** The typed client of our API: it sends the session's key and locks the page when the key no longer works. */
import createClient from "openapi-fetch";
import { useSession } from "../session/session";
import type { components, paths } from "./generated";

export type Schemas = components["schemas"];

/** Where `/v1/...` is: the page's own address, without its file and its fragment. */
export const API_ROOT = new URL(".", location.href).href.replace(/\/$/, "");

export const api = createClient<paths>({ baseUrl: API_ROOT });

api.use({
  onRequest({ request }) {
    const { key } = useSession.getState();
    if (key && !request.headers.has("x-api-key")) request.headers.set("x-api-key", key);
    return request;
  },
  onResponse({ request, response }) {
    const { key, lock } = useSession.getState();
    if (response.status === 401 && key !== null && request.headers.get("x-api-key") === key) lock();
    return response;
  },
});
