/** The tab's picture: plain, to be painted on, or with a mask file. */
import { Text } from "@mantine/core";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { CanvasEditor } from "../canvas/CanvasEditor";
import { EMPTY } from "../canvas/strokes";
import { type DrawnTab, type PictureTab, useForm } from "../params/store";
import { PictureInput } from "./PictureInput";

const DRAWN: ReadonlySet<string> = new Set(["sketch", "inpaint", "inpaint-sketch"]);

export function Drawing({ tab }: { tab: PictureTab }) {
  const { t } = useTranslation();
  const { pictures, drawings, setPicture, draw } = useForm();
  const picture = pictures[tab];
  const label = t("picture.source");
  return (
    <>
      <PictureInput label={label} picture={picture} onPicture={(file) => setPicture(tab, file)}>
        {picture && DRAWN.has(tab) && (
          <CanvasEditor
            label={t(`canvas.${tab as DrawnTab}`)}
            picture={picture}
            kind={tab === "inpaint" ? "mask" : "color"}
            drawing={drawings[tab as DrawnTab] ?? EMPTY}
            onDraw={(change) => draw(tab as DrawnTab, change)}
          />
        )}
      </PictureInput>
      {tab === "inpaint-upload" && (
        <>
          <PictureInput label={t("picture.mask")} picture={pictures.mask} onPicture={(file) => setPicture("mask", file)} />
          <MaskSize picture={picture} mask={pictures.mask} />
        </>
      )}
    </>
  );
}

/** Says so where mask and picture differ in size: WebUI takes them both, and scales each by itself. */
function MaskSize({ picture, mask }: { picture: Blob | undefined; mask: Blob | undefined }) {
  const { t } = useTranslation();
  const [sizes, setSizes] = useState<{ picture: string; mask: string } | null>(null);
  useEffect(() => {
    let current = true;
    setSizes(null);
    if (picture && mask)
      void Promise.all([sizeOf(picture), sizeOf(mask)]).then(([one, other]) => current && setSizes({ picture: one, mask: other }));
    return () => {
      current = false;
    };
  }, [picture, mask]);
  if (sizes === null || sizes.picture === sizes.mask) return null;
  return (
    <Text size="sm" role="status">
      {t("picture.maskSize", sizes)}
    </Text>
  );
}

async function sizeOf(picture: Blob): Promise<string> {
  const bitmap = await createImageBitmap(picture);
  const size = `${bitmap.width} × ${bitmap.height}`;
  bitmap.close();
  return size;
}
