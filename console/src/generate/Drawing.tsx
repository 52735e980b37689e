/** The tab's picture: plain, to be painted on, or with a mask file. */
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
        <PictureInput label={t("picture.mask")} picture={pictures.mask} onPicture={(file) => setPicture("mask", file)} />
      )}
    </>
  );
}
