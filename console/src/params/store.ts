/** What all tabs of Generate share: WebUI's fields, the chosen files, the pictures and the strokes. Survives a reload. */
import { del, get, set as put } from "idb-keyval";
import { create } from "zustand";
import { type PersistStorage, persist } from "zustand/middleware";
import { type Drawing, EMPTY } from "../canvas/strokes";
import type { Unit } from "./units";

export const TABS = [
  "txt2img",
  "img2img",
  "sketch",
  "inpaint",
  "inpaint-sketch",
  "inpaint-upload",
  "extras",
  "interrogate",
] as const;
export type Tab = (typeof TABS)[number];
export type PictureTab = Exclude<Tab, "txt2img">;
export type DrawnTab = "sketch" | "inpaint" | "inpaint-sketch";
export type Slot = PictureTab | "mask";
export type Values = Record<string, unknown>;

export interface Size {
  width: number;
  height: number;
}

interface Kept {
  /** By WebUI's names; what is absent has the contract's default. */
  values: Values;
  checkpoint: string | null;
  /** Of the pictures that the checkpoint learned; width and height that are absent have this one. */
  native: Size | null;
  vae: string | null;
  endpoint: string | null;
  tagger: "clip" | "deepbooru";
  /** Names, in the order in which they are merged into the prompts. */
  styles: string[];
  pictures: Partial<Record<Slot, Blob>>;
  drawings: Partial<Record<DrawnTab, Drawing>>;
  /** ControlNet's. */
  units: Unit[];
}

interface Actions {
  set: (name: string, value: unknown) => void;
  setAll: (values: Values) => void;
  choose: (chosen: Partial<Pick<Kept, "checkpoint" | "native" | "vae" | "endpoint" | "tagger" | "styles">>) => void;
  setPicture: (slot: Slot, picture: Blob | null) => void;
  draw: (tab: DrawnTab, change: (drawing: Drawing) => Drawing) => void;
  setUnits: (units: Unit[]) => void;
  reset: () => void;
}

const START: Kept = {
  values: {},
  checkpoint: null,
  native: null,
  vae: null,
  endpoint: null,
  tagger: "clip",
  styles: [],
  pictures: {},
  drawings: {},
  units: [],
};

/** IndexedDB, because pictures are files and do not fit elsewhere. */
const storage: PersistStorage<Kept> = {
  getItem: async (name) => (await get(name)) ?? null,
  setItem: (name, value) => put(name, value),
  removeItem: (name) => del(name),
};

export const useForm = create<Kept & Actions>()(
  persist(
    (set) => ({
      ...START,
      set: (name, value) => set(({ values }) => ({ values: { ...values, [name]: value } })),
      setAll: (more) => set(({ values }) => ({ values: { ...values, ...more } })),
      // The size is known once the list of checkpoints is.
      choose: (chosen) =>
        set(({ checkpoint, native }) => {
          const other = chosen.checkpoint !== undefined && chosen.checkpoint !== checkpoint;
          return { native: other ? null : native, ...chosen };
        }),
      setPicture: (slot, picture) =>
        set(({ pictures, drawings }) => ({
          pictures: { ...pictures, [slot]: picture ?? undefined },
          drawings: { ...drawings, [slot]: EMPTY },
        })),
      draw: (tab, change) =>
        set(({ drawings }) => ({ drawings: { ...drawings, [tab]: change(drawings[tab] ?? EMPTY) } })),
      setUnits: (units) => set({ units }),
      reset: () => set({ values: {}, vae: null, styles: [], units: [] }),
    }),
    {
      name: "goc.form",
      storage,
      partialize: ({ values, checkpoint, native, vae, endpoint, tagger, styles, pictures, drawings, units }) => ({
        values,
        checkpoint,
        native,
        vae,
        endpoint,
        tagger,
        styles,
        pictures,
        drawings,
        units,
      }),
    },
  ),
);
