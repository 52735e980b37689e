/** What the key may do, as `GET /v1/me` says; the API decides, the page only does not offer what would be refused. */
import { useQuery } from "@tanstack/react-query";
import { type Schemas, api } from "../api/client";
import { unwrap } from "../api/problem";
import { useSession } from "./session";

export type Permission = Schemas["Permission"];
type Resource = Permission extends `${infer Name}:${string}` ? Name : never;

const MINUTE = 60_000;

export function meOf(key: string | null) {
  return {
    queryKey: ["me", key],
    queryFn: ({ signal }: { signal: AbortSignal }) => unwrap(api.GET("/v1/me", { signal })),
    staleTime: MINUTE,
  };
}

export function useMe() {
  const key = useSession((session) => session.key);
  return useQuery({ ...meOf(key), enabled: key !== null });
}

/** `all`, for everybody's things, includes what one may do with one's own. */
export const holds = (permissions: readonly string[], wanted: string): boolean =>
  permissions.includes(wanted) || permissions.includes(`${wanted.split(":")[0]}:all`);

export function useRights() {
  const { data: me, isPending } = useMe();
  /** As long as the answer is not there everything is offered. */
  const may = (permission: Permission) => me === undefined || holds(me.permissions, permission);
  return {
    me,
    may,
    /** Whether a list may be asked for: not before it is known that it would not be refused. */
    mayAsk: (permission: Permission) => !isPending && may(permission),
    /** Something of one's own needs `create`, something of others `all`. */
    mayChange: (resource: Resource, owner: string | null | undefined) =>
      may(`${resource}:${owner === me?.user ? "create" : "all"}` as Permission),
    /** Whether the key has every permission of these: nobody gives or takes rights they do not have. */
    mayGive: (permissions: readonly string[]) => permissions.every((each) => may(each as Permission)),
  };
}
