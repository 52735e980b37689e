/** Lists of people, read to their end: there are tens of them, not thousands. */
import { useQuery } from "@tanstack/react-query";
import { type Schemas, api } from "../api/client";
import { unwrap } from "../api/problem";
import { useRights } from "../session/rights";

const PAGE = 100;

async function everyPage<Page extends { next_cursor: string | null }>(read: (cursor: string | null) => Promise<Page>): Promise<Page[]> {
  const pages: Page[] = [];
  let cursor: string | null = null;
  do {
    const page: Page = await read(cursor);
    pages.push(page);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return pages;
}

const paged = (cursor: string | null) => ({ limit: PAGE, ...(cursor === null ? {} : { cursor }) });

export function useUsers() {
  const { mayAsk } = useRights();
  return useQuery({
    queryKey: ["users"],
    enabled: mayAsk("user:list"),
    queryFn: async ({ signal }) =>
      (await everyPage((cursor) => unwrap(api.GET("/v1/users", { params: { query: paged(cursor) }, signal })))).flatMap(
        ({ users }) => users,
      ),
  });
}

export function useRoles() {
  const { mayAsk } = useRights();
  return useQuery({
    queryKey: ["roles"],
    enabled: mayAsk("role:list"),
    queryFn: async ({ signal }) =>
      (await everyPage((cursor) => unwrap(api.GET("/v1/roles", { params: { query: paged(cursor) }, signal })))).flatMap(
        ({ roles }) => roles,
      ),
  });
}

export type By = "day" | "user" | "endpoint" | "model";

/** A month's totals; groups that several pages have are added up. */
export function useUsage(month: string, everyone: boolean, by: By | null) {
  const { mayAsk } = useRights();
  return useQuery({
    queryKey: ["usage", month, everyone, by],
    enabled: mayAsk("inference:list") && /^\d{4}-\d{2}$/.test(month),
    queryFn: async ({ signal }) => {
      const pages = await everyPage((cursor) =>
        unwrap(
          api.GET("/v1/usage", {
            params: {
              query: {
                month,
                ...(by === null ? {} : { by }),
                ...(everyone ? { everyone, limit: PAGE } : {}),
                ...(cursor === null ? {} : { cursor }),
              },
            },
            signal,
          }),
        ),
      );
      return { ...pages[0]!, days: pages.flatMap(({ days }) => days), groups: addedUp(pages.flatMap(({ groups }) => groups ?? [])) };
    },
  });
}

type Group = Schemas["UsageGroup"];

function addedUp(groups: Group[]): Group[] {
  const sums = new Map<string, Group>();
  for (const group of groups) {
    const before = sums.get(group.key);
    sums.set(group.key, before ? sumOf(before, group) : group);
  }
  return [...sums.values()];
}

const sumOf = (one: Group, other: Group): Group => ({
  key: one.key,
  jobs: one.jobs + other.jobs,
  gpu_seconds: one.gpu_seconds + other.gpu_seconds,
  cost: one.cost === null && other.cost === null ? null : (one.cost ?? 0) + (other.cost ?? 0),
});
