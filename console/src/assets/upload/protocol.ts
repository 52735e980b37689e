/** What the page and its upload worker say to each other. */
export type UploadState = "waiting" | "hashing" | "sending" | "paused" | "inspecting" | "done" | "there" | "failed";

export interface UploadRequest {
  id: string;
  file: File;
  type: string;
  name: string;
}

export type ToWorker =
  | { kind: "start"; request: UploadRequest; root: string; key: string }
  | { kind: "pause"; id: string }
  | { kind: "resume"; id: string; key: string };

export interface Report {
  id: string;
  state: UploadState;
  /** Bytes that storage has. */
  sent: number;
  problem?: { code: string; detail: string };
  /** Of a file that is `there` already: what it is called. */
  there?: string;
}

export interface Part {
  part_number: number;
  offset: number;
  size: number;
  received: boolean;
  sha256: string | null;
}
