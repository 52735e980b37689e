/** The uploads of this page, as its worker reports them. */
import { create } from "zustand";
import { API_ROOT } from "../../api/client";
import { useSession } from "../../session/session";
import type { Report, ToWorker, UploadRequest } from "./protocol";

export interface Upload extends UploadRequest, Omit<Report, "id"> {}

interface Uploads {
  uploads: Upload[];
  /** `name`: what one file is called in the cloud, if not as on the disk. */
  add: (files: File[], type: string, name?: string) => void;
  pause: (id: string) => void;
  resume: (id: string) => void;
  forget: (id: string) => void;
  ended: number;
}

const FLYING: ReadonlySet<string> = new Set(["waiting", "hashing", "sending", "inspecting"]);
export const isFlying = (upload: Upload): boolean => FLYING.has(upload.state);

let worker: Worker | null = null;

function tell(message: ToWorker): void {
  if (worker === null) {
    worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<Report>) => {
      const over = data.state === "done" || data.state === "there" || data.state === "failed";
      useUploads.setState(({ uploads, ended }) => ({
        uploads: uploads.map((upload) => (upload.id === data.id ? { ...upload, ...data } : upload)),
        ended: over ? ended + 1 : ended,
      }));
    };
    addEventListener("beforeunload", (event) => {
      if (useUploads.getState().uploads.some(isFlying)) event.preventDefault();
    });
  }
  worker.postMessage(message);
}

const key = () => useSession.getState().key ?? "";

export const useUploads = create<Uploads>((set) => ({
  uploads: [],
  ended: 0,
  add: (files, type, name) => {
    const requests = files.map((file) => ({ id: crypto.randomUUID(), file, type, name: name ?? file.name }));
    set(({ uploads }) => ({
      uploads: [...uploads, ...requests.map((request) => ({ ...request, state: "waiting" as const, sent: 0 }))],
    }));
    for (const request of requests) tell({ kind: "start", request, root: API_ROOT, key: key() });
  },
  pause: (id) => tell({ kind: "pause", id }),
  resume: (id) => tell({ kind: "resume", id, key: key() }),
  forget: (id) => set(({ uploads }) => ({ uploads: uploads.filter((upload) => upload.id !== id) })),
}));
