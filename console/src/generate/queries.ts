/** The lists that the form chooses from. */
import { useQuery } from "@tanstack/react-query";
import { type Schemas, api } from "../api/client";
import { unwrap } from "../api/problem";
import variants from "../params/family_variants.json";
import { useForm } from "../params/store";
import { useRights } from "../session/rights";

/** Families whose networks are those of another one. */
const VARIANTS: Record<string, string> = variants;
const MINUTE = 60_000;

export function useCapabilities() {
  return useQuery({
    queryKey: ["capabilities"],
    queryFn: ({ signal }) => unwrap(api.GET("/v1/capabilities", { signal })),
    staleTime: 10 * MINUTE,
  });
}

/** Every active model file of a type, over all pages. */
export function useModels(type: Schemas["AssetType"]) {
  const { mayAsk } = useRights();
  return useQuery({
    queryKey: ["models", type],
    enabled: mayAsk("asset:list"),
    queryFn: async ({ signal }) => {
      const found: Schemas["AssetView"][] = [];
      let cursor: string | null = null;
      do {
        const page: Schemas["AssetPage"] = await unwrap(
          api.GET("/v1/assets", {
            params: { query: { type, limit: 100, ...(cursor === null ? {} : { cursor }) } },
            signal,
          }),
        );
        found.push(...page.assets.filter((asset) => asset.status === "active"));
        cursor = page.next_cursor;
      } while (cursor !== null && found.length < 10_000);
      return found;
    },
    staleTime: MINUTE / 4,
  });
}

export function useEndpoints() {
  const { mayAsk } = useRights();
  return useQuery({
    enabled: mayAsk("endpoint:list"),
    queryKey: ["endpoints"],
    queryFn: ({ signal }) => unwrap(api.GET("/v1/endpoints", { signal })),
    refetchInterval: MINUTE / 4,
  });
}

/** The architecture of the chosen checkpoint; null: none is chosen, or it is not known. */
export function useFamily(): string | null {
  const chosen = useForm((form) => form.checkpoint);
  return useModels("checkpoint").data?.find(({ name }) => name === chosen)?.architecture ?? null;
}

/** Whether the file can be used with a checkpoint of the family; what is not known is not left out. */
export const fits = ({ architecture }: Schemas["AssetView"], family: string | null): boolean =>
  family === null || architecture === null || architecture === (VARIANTS[family] ?? family);

export const stem = (name: string): string => name.replace(/\.[^.]*$/, "");
