/** The wheel: with Ctrl the brush, with Alt the zoom, plain what the reader has chosen. */
import { type RefObject, useEffect, useEffectEvent } from "react";
import type { Screen } from "./screen";
import { useCanvasSettings } from "./settings";
import { pan, zoom } from "./view";

const NOTCH = 1.15;

export function useWheel(box: RefObject<HTMLElement | null>, screen: RefObject<Screen | null>, resize: (factor: number) => void) {
  const turned = useEffectEvent((event: WheelEvent, controlHeld: boolean) => {
    const shown = screen.current;
    event.preventDefault();
    if (!shown || !box.current) return;
    if (event.ctrlKey && controlHeld) return resize(event.deltaY < 0 ? 1.1 : 0.9);
    // Browsers send the pinch of a trackpad as a wheel with Ctrl, though no such key is down.
    if (!event.ctrlKey && !event.altKey && useCanvasSettings.getState().wheel === "pan")
      return shown.show(pan(shown.view, -event.deltaX, -event.deltaY));
    const corner = box.current.getBoundingClientRect();
    const factor = event.deltaY < 0 ? NOTCH : 1 / NOTCH;
    shown.show(zoom(shown.view, factor, event.clientX - corner.left, event.clientY - corner.top));
  });
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    let controlHeld = false;
    const key = (event: KeyboardEvent) => {
      controlHeld = event.ctrlKey || event.metaKey;
    };
    const wheel = (event: WheelEvent) => turned(event, controlHeld);
    window.addEventListener("keydown", key);
    window.addEventListener("keyup", key);
    // React listens to wheels passively, and the page would scroll.
    element.addEventListener("wheel", wheel, { passive: false });
    return () => {
      window.removeEventListener("keydown", key);
      window.removeEventListener("keyup", key);
      element.removeEventListener("wheel", wheel);
    };
  }, [box]);
}
