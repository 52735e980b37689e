/** The networks that restore faces, by the names of WebUI's option `face_restoration_model`. */
import { useModels } from "./queries";

export const CODEFORMER = "CodeFormer";
const GFPGAN = "GFPGAN";

/**
 * Those that can be chosen. The service takes CodeFormer's file only where the operator has allowed its licence
 * (`noncommercial_models`), so a file that is there says both. `chosen` stays in the list.
 */
export function useFaceRestorers(chosen: string | null): string[] {
  const files = useModels("face_restoration").data ?? [];
  const allowed = chosen === CODEFORMER || files.some(({ architecture }) => architecture === CODEFORMER);
  return allowed ? [GFPGAN, CODEFORMER] : [GFPGAN];
}
