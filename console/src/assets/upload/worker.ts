/** Sends model files in parts, three at a time, each with its SHA-256: storage accepts these bytes and no others. */
import type { Part, Report, ToWorker, UploadRequest, UploadState } from "./protocol";

const AT_ONCE = 3;
const TRIES = 6;
const POLL_MS = 1500;

interface Running {
  request: UploadRequest;
  root: string;
  key: string;
  paused: boolean;
  sent: Map<number, number>;
  requests: Set<XMLHttpRequest>;
  state: UploadState;
}

class Refused extends Error {
  constructor(
    readonly code: string,
    detail: string,
  ) {
    super(detail);
  }
}
class Paused extends Error {}

interface Stored {
  name: string;
  status: string;
  sha256: string | null;
}

const uploads = new Map<string, Running>();
/** One file after the other; its parts go together. */
let line: Promise<void> = Promise.resolve();

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (data.kind === "start") {
    const { request, root, key } = data;
    uploads.set(request.id, { request, root, key, paused: false, sent: new Map(), requests: new Set(), state: "waiting" });
    enqueue(request.id);
    return;
  }
  const upload = uploads.get(data.id);
  if (!upload) return;
  if (data.kind === "pause") {
    upload.paused = true;
    for (const request of upload.requests) request.abort();
    report(upload, "paused");
  } else {
    upload.key = data.key;
    upload.paused = false;
    enqueue(data.id);
  }
};

function enqueue(id: string): void {
  const upload = uploads.get(id)!;
  report(upload, "waiting");
  line = line.then(async () => {
    try {
      await send(upload);
    } catch (error) {
      if (error instanceof Paused) return;
      const problem =
        error instanceof Refused
          ? { code: error.code, detail: error.message }
          : { code: "unknown", detail: String(error) };
      report(upload, "failed", problem);
    }
  });
}

function report(upload: Running, state: UploadState = upload.state, problem?: Report["problem"], there?: string): void {
  upload.state = state;
  const sent = [...upload.sent.values()].reduce((sum, count) => sum + count, 0);
  self.postMessage({ id: upload.request.id, state, sent, problem, there } satisfies Report);
}

async function send(upload: Running): Promise<void> {
  if (upload.paused) throw new Paused();
  const { file, type, name } = upload.request;
  const there = await alreadyThere(upload);
  if (there !== null) {
    upload.sent.set(0, file.size);
    report(upload, "there", undefined, there);
    uploads.delete(upload.request.id);
    return;
  }
  const asset = await ask(upload, "POST", "/v1/assets", { type, name, size: file.size, checksum_algorithm: "SHA256" });
  const parts: Part[] = asset.upload.parts;
  upload.sent.clear();
  report(upload, "hashing");
  const waiting: Part[] = [];
  for (const part of parts) {
    // A part that is there counts only if it is of this file.
    const same = part.received && part.sha256 === (await digest(upload, part));
    if (same) upload.sent.set(part.part_number, part.size);
    else waiting.push(part);
    report(upload);
  }
  report(upload, "sending");
  await Promise.all(Array.from({ length: AT_ONCE }, () => sendSome(upload, asset.asset_id, waiting)));
  report(upload, "inspecting");
  let found = await ask(upload, "POST", `/v1/assets/${asset.asset_id}/complete`, {});
  while (found.status === "inspecting" || found.status === "uploading") {
    await sleep(POLL_MS);
    found = await ask(upload, "GET", `/v1/assets/${asset.asset_id}`);
  }
  if (found.status === "failed") throw new Refused("refused", found.error ?? "");
  report(upload, "done");
  uploads.delete(upload.request.id);
}

/**
 * What the cloud calls a file with these bytes; null if it has none. The whole file is hashed only if one of its type and
 * size is there.
 */
async function alreadyThere(upload: Running): Promise<string | null> {
  const { file, type } = upload.request;
  const { assets } = await ask(upload, "GET", `/v1/assets?type=${encodeURIComponent(type)}&size=${file.size}`);
  const candidates = (assets as Stored[]).filter(({ status, sha256 }) => status === "active" && sha256 !== null);
  if (candidates.length === 0) return null;
  report(upload, "hashing");
  const sha256 = await wholeDigest(upload);
  return candidates.find((asset) => asset.sha256 === sha256)?.name ?? null;
}

/** `crypto.subtle` takes whole buffers only, so files larger than memory need a hash that takes pieces. */
async function wholeDigest(upload: Running): Promise<string> {
  const { createSHA256 } = await import("hash-wasm");
  const hash = (await createSHA256()).init();
  const reader = upload.request.file.stream().getReader();
  for (;;) {
    if (upload.paused) throw new Paused();
    const { done, value } = await reader.read();
    if (done) return hash.digest("hex");
    hash.update(value);
  }
}

async function sendSome(upload: Running, assetId: string, waiting: Part[]): Promise<void> {
  for (let part = waiting.shift(); part; part = waiting.shift()) {
    const sha256 = await digest(upload, part);
    for (let tried = 0; ; tried++) {
      try {
        await sendPart(upload, assetId, part, sha256);
        break;
      } catch (error) {
        upload.sent.delete(part.part_number);
        if (upload.paused) throw new Paused();
        if (error instanceof Refused || tried >= TRIES) throw error;
        await sleep(500 * 2 ** tried * (0.5 + Math.random()));
      }
    }
  }
}

async function sendPart(upload: Running, assetId: string, part: Part, sha256: string): Promise<void> {
  if (upload.paused) throw new Paused();
  const signed = await ask(upload, "POST", `/v1/assets/${assetId}/parts`, {
    parts: [{ part_number: part.part_number, sha256 }],
  });
  const { url, headers } = signed.parts[0];
  await put(upload, part, url, headers);
}

/** By XMLHttpRequest: fetch does not say how much of a body has been sent. */
function put(upload: Running, part: Part, url: string, headers: Record<string, string>): Promise<void> {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    upload.requests.add(request);
    request.open("PUT", url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded }) => {
      upload.sent.set(part.part_number, loaded);
      report(upload);
    };
    request.onloadend = () => {
      upload.requests.delete(request);
      if (request.status >= 200 && request.status < 300) {
        upload.sent.set(part.part_number, part.size);
        report(upload);
        done();
      } else failed(new Error(`storage answered ${request.status || "nothing"}`));
    };
    request.send(slice(upload, part));
  });
}

const slice = ({ request }: Running, part: Part): Blob => request.file.slice(part.offset, part.offset + part.size);

async function digest(upload: Running, part: Part): Promise<string> {
  if (upload.paused) throw new Paused();
  const hash = await crypto.subtle.digest("SHA-256", await slice(upload, part).arrayBuffer());
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// eslint-disable-next-line typescript/no-explicit-any -- the page's typed client would double this worker's size
async function ask(upload: Running, method: string, path: string, body?: unknown): Promise<any> {
  for (let tried = 0; ; tried++) {
    let response: Response | null = null;
    try {
      response = await fetch(upload.root + path, {
        method,
        headers: { "x-api-key": upload.key, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
        body: body === undefined ? null : JSON.stringify(body),
      });
      if (response.ok) return await response.json();
    } catch (error) {
      if (tried >= TRIES) throw error;
    }
    if (upload.paused) throw new Paused();
    if (response && response.status < 500 && response.status !== 429) {
      const problem = await response.json().catch(() => ({}));
      const fields = ((problem.errors ?? []) as { message: string }[]).map(({ message }) => message).join("; ");
      throw new Refused(problem.code ?? "unknown", fields || (problem.detail ?? response.statusText));
    }
    if (tried >= TRIES) throw new Refused("unknown", response?.statusText ?? "");
    await sleep(500 * 2 ** tried * (0.5 + Math.random()));
  }
}

const sleep = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));
