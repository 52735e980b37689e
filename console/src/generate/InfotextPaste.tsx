/** Opens the comparison of an infotext with the form: by a button, or by a picture that is dropped on the page. */
import { Button } from "@mantine/core";
import { Suspense, useEffect, useEffectEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Tab } from "../params/store";
import { lazily } from "../kit/lazily";

const InfotextDialog = lazily(() => import("./InfotextDialog"));

export function InfotextPaste({ tab }: { tab: Tab }) {
  const { t } = useTranslation();
  const [opened, setOpened] = useState(false);
  const [dropped, setDropped] = useState<File | null>(null);
  useDroppedFile((file) => {
    setDropped(file);
    setOpened(true);
  });
  const close = () => {
    setOpened(false);
    setDropped(null);
  };
  return (
    <>
      <Button variant="default" size="compact-sm" onClick={() => setOpened(true)}>
        {t("infotext.paste")}
      </Button>
      {opened && (
        <Suspense>
          <InfotextDialog tab={tab} file={dropped} onClose={close} />
        </Suspense>
      )}
    </>
  );
}

/** A picture that is dropped on the page, but not on a place for pictures. The browser would leave the page for it. */
function useDroppedFile(take: (file: File) => void): void {
  const drop = useEffectEvent((event: DragEvent) => {
    const file = event.dataTransfer?.files[0];
    if (event.defaultPrevented || !file) return;
    event.preventDefault();
    take(file);
  });
  useEffect(() => {
    const allow = (event: DragEvent) => {
      if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
    };
    const dropped = (event: DragEvent) => drop(event);
    window.addEventListener("dragover", allow);
    window.addEventListener("drop", dropped);
    return () => {
      window.removeEventListener("dragover", allow);
      window.removeEventListener("drop", dropped);
    };
  }, []);
}
