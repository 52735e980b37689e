import { expect, test } from "vitest";
import { endedSince, titleOf } from "./watch";

const job = (job_id: string, status: string, fraction?: number) => ({
  job_id,
  status,
  progress: fraction === undefined ? null : { fraction },
});

test.each([
  ["no jobs", [], "Name"],
  ["jobs that have ended", [job("a", "succeeded", 1), job("b", "failed"), job("c", "canceled")], "Name"],
  ["one that runs", [job("a", "running", 0.429), job("b", "succeeded", 1)], "42 % · Name"],
  ["one that starts", [job("a", "running")], "0 % · Name"],
  ["one that waits", [job("a", "queued")], "(1) · Name"],
  ["one that runs and two that wait", [job("c", "created"), job("b", "queued"), job("a", "running", 0.5)], "50 % (3) · Name"],
  ["two that run: the older one", [job("b", "running", 0.1), job("a", "running", 0.9)], "90 % (2) · Name"],
])("the title with %s", (_, jobs, title) => {
  expect(titleOf(jobs, "Name")).toBe(title);
});

test.each([
  ["running", "succeeded", true],
  ["queued", "failed", true],
  ["created", "expired", true],
  ["running", "canceled", false],
  ["running", "running", false],
  ["succeeded", "succeeded", false],
])("from %s to %s: ended is %s", (before, now, ended) => {
  expect(endedSince([job("a", before)], [job("a", now)]).length === 1).toBe(ended);
});

test("a job that was not open before has not ended now", () => {
  expect(endedSince([], [job("a", "succeeded")])).toEqual([]);
});
