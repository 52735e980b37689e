/** Properties of the input behind a button that chooses files. */
import type { MouseEvent } from "react";

/** A browser says nothing when the same file is chosen again, which people do after they have removed it. */
export const fileInput = (label: string) => ({
  "aria-label": label,
  onClick: (event: MouseEvent<HTMLInputElement>) => {
    event.currentTarget.value = "";
  },
});
