import { expect, test, vi } from "vitest";

vi.mock("idb-keyval", () => ({ get: async () => undefined, set: async () => undefined, del: async () => undefined }));
const { useForm } = await import("./store");

test("a checkpoint comes with its size, and one without a size leaves none behind", () => {
  const { choose, reset } = useForm.getState();
  const native = { width: 1024, height: 1024 };
  choose({ checkpoint: "xl.safetensors", native });
  choose({ vae: "own.safetensors" });
  choose({ checkpoint: "xl.safetensors" });
  reset();
  expect(useForm.getState().native).toEqual(native);
  choose({ checkpoint: "other.safetensors" });
  expect(useForm.getState().native).toBeNull();
});
