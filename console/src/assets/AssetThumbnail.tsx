/** What a model file draws, as its owner shows it. */
import { useState } from "react";

/** Each answer has another presigned address; the picture is loaded again only when its own no longer works. */
export function AssetThumbnail({ url }: { url: string | null | undefined }) {
  const [shown, setShown] = useState(url ?? null);
  const path = (address: string | null | undefined) => address?.split("?")[0];
  // Another picture has another path; the rest of the address is its signature.
  if (path(shown) !== path(url)) setShown(url ?? null);
  if (shown === null) return null;
  return <img className="asset-picture" src={shown} alt="" loading="lazy" onError={() => url && url !== shown && setShown(url)} />;
}
