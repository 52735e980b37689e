import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { finishJob, isGenuine, JobNotSucceededError, openApi, ProblemError, submitJob, unwrap } from "../src/index.ts";

interface Asked {
  method: string;
  path: string;
  headers: Headers;
  body: unknown;
}

/** A service that gives these answers one after the other and keeps what it was asked. */
function service(...answers: [number, unknown, Record<string, string>?][]) {
  const asked: Asked[] = [];
  const fetch = async (input: unknown): Promise<Response> => {
    const request = input as Request;
    const url = new URL(request.url);
    const text = await request.text();
    const body = text ? JSON.parse(text) : null;
    asked.push({ method: request.method, path: url.pathname + url.search, headers: request.headers, body });
    const [status, document, headers = {}] = answers.shift()!;
    const content = status === 304 ? null : JSON.stringify(document);
    return new Response(content, { status, headers: { "content-type": "application/json", ...headers } });
  };
  return { asked, fetch: fetch as typeof globalThis.fetch };
}

const JOB = { job_id: "j1", status: "queued" };

test("a job is sent once under its key and followed to its end", async () => {
  const { asked, fetch } = service(
    [201, JOB],
    [200, { ...JOB, status: "running" }, { ETag: 'W/"1"' }],
    [304, null],
    [200, { ...JOB, status: "succeeded" }],
  );
  const api = openApi({ url: "https://cloud.example/prod/", key: "k", fetch });

  const sent = await submitJob(api, { task: "txt2img", params: { prompt: "a fox" } }, { idempotencyKey: "once" });
  const seen: string[] = [];
  const done = await finishJob(api, sent.job_id, { onChange: (job) => seen.push(job.status) });

  assert.equal(done.status, "succeeded");
  assert.deepEqual(seen, ["running", "succeeded"]);
  assert.deepEqual(
    asked.map(({ method, path }) => `${method} ${path}`),
    [
      "POST /prod/v1/jobs",
      "GET /prod/v1/jobs/j1?wait=0",
      "GET /prod/v1/jobs/j1?wait=20",
      "GET /prod/v1/jobs/j1?wait=20",
    ],
  );
  assert.equal(asked[0]!.headers.get("idempotency-key"), "once");
  assert.deepEqual(asked[0]!.body, { task: "txt2img", params: { prompt: "a fox" } });
  assert.equal(asked[1]!.headers.get("x-api-key"), "k");
  assert.equal(asked[2]!.headers.get("if-none-match"), 'W/"1"');
});

test("a job that fails throws with the job", async () => {
  const error = { code: "bad_image", message: "a PDF", retryable: false };
  const { fetch } = service([200, { ...JOB, status: "failed", error }]);

  await assert.rejects(finishJob(openApi({ url: "https://cloud.example", key: "k", fetch }), "j1"), (thrown) => {
    assert(thrown instanceof JobNotSucceededError);
    assert.equal(thrown.message, "job j1 failed: bad_image: a PDF");
    return thrown.job.status === "failed";
  });
});

test("a refusal is a ProblemError with its code, fields and Retry-After, and a refused key is told", async () => {
  const problem = { code: "unauthorized", status: 401, detail: "The key is wrong.", errors: [], request_id: "r1" };
  const { fetch } = service([401, problem, { "Retry-After": "7" }]);
  const refused: string[] = [];
  const api = openApi({ url: "https://cloud.example", key: () => "old", onRefused: (key) => refused.push(key), fetch });

  await assert.rejects(unwrap(api.GET("/v1/me")), (thrown) => {
    assert(thrown instanceof ProblemError);
    assert.deepEqual([thrown.code, thrown.status, thrown.retryAfter, thrown.requestId], ["unauthorized", 401, 7, "r1"]);
    return thrown.message === "The key is wrong.";
  });
  assert.deepEqual(refused, ["old"]);
});

test("no answer is a ProblemError of the network", async () => {
  const fetch = (async () => {
    throw new TypeError("fetch failed");
  }) as typeof globalThis.fetch;

  await assert.rejects(unwrap(openApi({ url: "https://cloud.example", key: "k", fetch }).GET("/v1/health")), {
    code: "network",
    message: "fetch failed",
  });
});

const SECRET = `whsec_${Buffer.from("a secret of some bytes").toString("base64")}`;

function headersFor(body: string, at: number, secret = SECRET): Record<string, string> {
  const key = Buffer.from(secret.replace("whsec_", ""), "base64");
  const signature = createHmac("sha256", key).update(`j1.${at}.${body}`).digest("base64");
  return { "Webhook-Id": "j1", "Webhook-Timestamp": String(at), "Webhook-Signature": `v1,AAAA v1,${signature}` };
}

test("a webhook is genuine only with its bytes, its time and a signature of the secret", async () => {
  const body = '{"type": "job.succeeded"}';
  const headers = headersFor(body, 1000);

  assert.equal(await isGenuine(body, headers, SECRET, { now: 1100 }), true);
  assert.equal(await isGenuine(new TextEncoder().encode(body), new Headers(headers), SECRET, { now: 1100 }), true);
  assert.equal(await isGenuine(`${body} `, headers, SECRET, { now: 1100 }), false);
  assert.equal(await isGenuine(body, headers, SECRET, { now: 2000 }), false);
  assert.equal(await isGenuine(body, headersFor(body, 1000, "whsec_AAAA"), SECRET, { now: 1100 }), false);
  assert.equal(await isGenuine(body, {}, SECRET, { now: 1100 }), false);
});
