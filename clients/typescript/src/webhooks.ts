/** Checks that a webhook comes from the service, as Standard Webhooks 1.0 defines. */

/** Seconds by which the clocks of service and receiver may differ. */
export const TOLERANCE_SECONDS = 300;
const PREFIX = "whsec_";

/**
 * Whether a request with this body and these headers was signed with `secret` a moment ago.
 *
 * Call it with the bytes as they came, before anything parses them. `headers`: names in any letter case; `now` in
 * seconds since 1970.
 */
export async function isGenuine(
  body: Uint8Array | string,
  headers: Headers | Record<string, string | string[] | undefined>,
  secret: string,
  { now = Date.now() / 1000 }: { now?: number } = {},
): Promise<boolean> {
  const named = headers instanceof Headers ? headers : new Headers(single(headers));
  const [id, sentAt, signatures] = ["id", "timestamp", "signature"].map((name) => named.get(`webhook-${name}`) ?? "");
  if (!/^\d+$/.test(sentAt!) || Math.abs(now - Number(sentAt)) > TOLERANCE_SECONDS) return false;
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const head = new TextEncoder().encode(`${id}.${sentAt}.`);
  const signed = new Uint8Array(head.length + bytes.length);
  signed.set(head);
  signed.set(bytes, head.length);
  const key = await crypto.subtle.importKey("raw", decoded(secret.replace(PREFIX, "")), HMAC, false, ["verify"]);
  for (const one of signatures!.split(" ")) {
    const [version, signature] = one.split(",");
    if (version !== "v1" || !signature) continue;
    try {
      if (await crypto.subtle.verify("HMAC", key, decoded(signature), signed)) return true;
    } catch {
      // Not base64: not a signature.
    }
  }
  return false;
}

const HMAC = { name: "HMAC", hash: "SHA-256" };

function decoded(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

function single(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? (value[0] ?? "") : value]],
    ),
  );
}
