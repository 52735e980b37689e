/** Exchanges a pasted key, or the code of a link, for a session's key, which ends by itself. */
import { api } from "../api/client";
import { unwrap } from "../api/problem";
import { useSession } from "./session";

/** What the list of keys calls this session: the browser and its system. */
function label(): string {
  const agent = navigator.userAgent;
  const browser = ["Firefox", "Edg", "Chrome", "Safari"].find((name) => agent.includes(name)) ?? "browser";
  const system = ["Windows", "Mac OS", "Android", "Linux", "iPhone", "iPad"].find((name) => agent.includes(name));
  return `Console, ${browser === "Edg" ? "Edge" : browser}${system ? ` on ${system}` : ""}`;
}

export async function openSession(by: { key: string; keep: boolean } | { code: string }): Promise<string> {
  const body = "code" in by ? { code: by.code, label: label() } : { keep: by.keep, label: label() };
  const headers = "key" in by ? { "x-api-key": by.key } : {};
  return (await unwrap(api.POST("/v1/sessions", { body: body as never, headers }))).key;
}

const CODE = /^code_[\w.~-]+$/;
const IN_LINK = /#code=([\w.~-]+)$/;

/** What was pasted: a key, a code, or the whole link that has one. */
export function credential(pasted: string, keep: boolean): { key: string; keep: boolean } | { code: string } {
  const text = pasted.trim();
  const code = IN_LINK.exec(text)?.[1] ?? CODE.exec(text)?.[0];
  return code === undefined ? { key: text, keep } : { code };
}

/** The code in the page's address: it works once, and leaves the address and the history at once. */
export function takeCode(): string | null {
  const code = /^#code=([\w.~-]+)$/.exec(location.hash)?.[1] ?? null;
  if (code !== null) history.replaceState(null, "", "#/");
  return code;
}

/** Ends the session on the server, too; the page forgets the key whatever comes of it. */
export function signOut(): void {
  const { key, signOut: forget } = useSession.getState();
  if (key !== null) {
    void unwrap(api.DELETE("/v1/sessions/current", { headers: { "x-api-key": key } })).catch(() => undefined);
  }
  forget();
}
