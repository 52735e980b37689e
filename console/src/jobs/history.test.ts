import { expect, test } from "vitest";
import { merged, openBelow } from "./history";

const job = (number: number, status = "succeeded") => ({
  job_id: `job${number}`,
  created_at: `2026-11-30T10:00:${String(number).padStart(2, "0")}Z`,
  status,
});
const page = (numbers: number[], more = true) => ({ jobs: numbers.map((number) => job(number)), next_cursor: more ? "next" : null });
const ids = (head: ReturnType<typeof page> | undefined, pages: ReturnType<typeof page>[]) =>
  merged(head, pages).jobs.map(({ job_id }) => Number(job_id.slice(3)));

test.each([
  ["before the newest page is there", undefined, [page([4, 3]), page([2, 1])], [4, 3, 2, 1]],
  ["a new job comes on top", page([5, 4]), [page([4, 3]), page([2, 1])], [5, 4, 3, 2, 1]],
  ["a deleted job goes", page([4, 2]), [page([4, 3]), page([2, 1])], [4, 2, 1]],
  ["a short history is the newest page", page([2], false), [page([3, 2]), page([1])], [2]],
  ["an empty page with more behind it says nothing", page([]), [page([4, 3])], [4, 3]],
])("%s", (_, head, pages, wanted) => {
  expect(ids(head, pages)).toEqual(wanted);
});

test("more new jobs than a page has leave a gap", () => {
  expect(merged(page([9, 8]), [page([4, 3])]).gap).toBe(true);
  expect(merged(page([5, 4]), [page([4, 3])]).gap).toBe(false);
});

test("the newest page's state of a job counts, and open jobs below it are noticed", () => {
  const head = { jobs: [job(4), job(3, "running")], next_cursor: "next" };
  const { jobs } = merged(head, [{ jobs: [job(3, "queued"), job(2, "queued")], next_cursor: "next" }]);

  expect(jobs.map(({ status }) => status)).toEqual(["succeeded", "running", "queued"]);
  expect(openBelow(head, jobs)).toBe(true);
  expect(openBelow(head, jobs.slice(0, 2))).toBe(false);
});
