/** The job that was sent last from the form, and the picture it was made from. */
import { create } from "zustand";

interface Last {
  job: string | null;
  before: Blob | null;
  show: (job: string | null, before?: Blob | null) => void;
}

export const useLast = create<Last>()((set) => ({
  job: null,
  before: null,
  show: (job, before = null) => set({ job, before }),
}));
