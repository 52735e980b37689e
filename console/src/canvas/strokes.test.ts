import { expect, test } from "vitest";
import { EMPTY, add, redo, undo } from "./strokes";
import { fit, toPicture, zoom } from "./view";

const clear = { kind: "clear" } as const;
const invert = { kind: "invert" } as const;

test("undo takes the last step away, and redo brings it back", () => {
  const two = add(add(EMPTY, clear), invert);
  expect(undo(two).steps).toEqual([clear]);
  expect(redo(undo(two))).toEqual(two);
  expect(undo(undo(undo(two))).steps).toEqual([]);
});

test("a new step after an undo forgets what was undone", () => {
  expect(redo(add(undo(add(EMPTY, clear)), invert)).steps).toEqual([invert]);
});

test("zooming keeps the pixel under the pointer", () => {
  const view = fit(640, 480, { width: 400, height: 400 });
  const before = toPicture(view, 123, 77);
  const after = toPicture(zoom(view, 3, 123, 77), 123, 77);
  expect(after.x).toBeCloseTo(before.x);
  expect(after.y).toBeCloseTo(before.y);
});
