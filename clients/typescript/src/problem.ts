/** Errors of the API (RFC 9457), of the network, and of everything else, as one class. */
import type { components } from "./generated.ts";

export type Problem = components["schemas"]["Problem"];
export type ProblemCode = components["schemas"]["ProblemCode"];
export type FieldProblem = components["schemas"]["FieldError"];

export class ProblemError extends Error {
  /** The API's code; `network` if there was no answer, `unknown` if something else answered. */
  readonly code: ProblemCode | "network" | "unknown";
  readonly status: number;
  readonly fields: FieldProblem[];
  readonly requestId: string | null;
  /** Seconds of `Retry-After`. */
  readonly retryAfter: number | null;

  constructor(problem: Partial<Problem>, code: ProblemError["code"], retryAfter: number | null = null) {
    super(problem.detail ?? "");
    this.name = "ProblemError";
    this.code = code;
    this.status = problem.status ?? 0;
    this.fields = problem.errors ?? [];
    this.requestId = problem.request_id ?? null;
    this.retryAfter = retryAfter;
  }
}

interface Result<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The answer's body; throws a ProblemError for every answer that is not a success, and when there is none. */
export async function unwrap<T>(request: Promise<Result<T>>): Promise<T> {
  let result: Result<T>;
  try {
    result = await request;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ProblemError({ detail: error instanceof Error ? error.message : "" }, "network");
  }
  const { data, error, response } = result;
  if (response.ok) return data as T;
  const seconds = Number(response.headers.get("Retry-After"));
  const problem = typeof error === "object" && error !== null ? (error as Partial<Problem>) : {};
  throw new ProblemError(
    { detail: response.statusText, status: response.status, ...problem },
    problem.code ?? "unknown",
    Number.isFinite(seconds) && seconds > 0 ? seconds : null,
  );
}
