/** Every route of the API, typed by its OpenAPI document. */
import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./generated.ts";

export type Schemas = components["schemas"];
export type Api = Client<paths>;

export interface ApiOptions {
  /** The service's URL, without `/v1`. */
  url: string;
  /** The API key, or what gives the key to each request; null: none. */
  key: string | (() => string | null);
  /** Called when the service refuses the key of a request (401). */
  onRefused?: (key: string) => void;
  fetch?: typeof globalThis.fetch;
}

/** `api.GET("/v1/jobs/{job_id}", { params: { path: { job_id } } })`; `unwrap` gives the body or throws. */
export function openApi({ url, key, onRefused, fetch }: ApiOptions): Api {
  const api = createClient<paths>({ baseUrl: url.replace(/\/+$/, ""), ...(fetch ? { fetch } : {}) });
  api.use({
    onRequest({ request }) {
      const current = typeof key === "string" ? key : key();
      if (current && !request.headers.has("x-api-key")) request.headers.set("x-api-key", current);
      return request;
    },
    onResponse({ request, response }) {
      const sent = request.headers.get("x-api-key");
      if (response.status === 401 && sent !== null) onRefused?.(sent);
      return response;
    },
  });
  return api;
}
