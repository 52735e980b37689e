/** How the canvas looks and answers on this device; none of it changes what is sent. */
import { create } from "zustand";
import { persist } from "zustand/middleware";

export type Kind = "mask" | "color";

interface Kept {
  /** Of the brush; null: a part of the picture. */
  sizes: Record<Kind, number | null>;
  /** What a brush's size counts. */
  unit: "picture" | "screen";
  wheel: "zoom" | "pan";
  maskColor: string;
  maskOpacity: number;
  color: string;
  /** The key X swaps the two. */
  otherColor: string;
  recent: string[];
  alpha: number;
}

interface Settings extends Kept {
  change: (settings: Partial<Kept>) => void;
  setSize: (kind: Kind, size: number) => void;
  remember: (color: string) => void;
}

const RECENT = 8;
export const LARGEST_BRUSH = 500;

export const useCanvasSettings = create<Settings>()(
  persist(
    (set) => ({
      sizes: { mask: null, color: null },
      unit: "picture",
      wheel: "zoom",
      maskColor: "#ff2d78",
      maskOpacity: 0.6,
      color: "#e03131",
      otherColor: "#ffffff",
      recent: [],
      alpha: 1,
      change: (settings) => set(settings),
      setSize: (kind, size) =>
        set(({ sizes }) => ({ sizes: { ...sizes, [kind]: Math.min(LARGEST_BRUSH, Math.max(1, Math.round(size))) } })),
      remember: (color) =>
        set(({ recent }) => ({ recent: [color, ...recent.filter((each) => each !== color)].slice(0, RECENT) })),
    }),
    { name: "goc.canvas" },
  ),
);

/** One notch of the wheel or one press of a key; never less than a pixel. */
export const resized = (size: number, factor: number): number => size * factor + (factor > 1 ? 0.5 : -0.5);

/** A brush that suits a picture of this size. */
export const defaultSize = (width: number, height: number): number =>
  Math.max(2, Math.round(Math.max(width, height) / 16));
