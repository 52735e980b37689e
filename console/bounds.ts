/** A build plugin: the bounds and defaults of every request field, out of the API's own OpenAPI document. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";

type Schema = Record<string, unknown> & { anyOf?: Schema[]; $ref?: string };

const DOCUMENT = fileURLToPath(new URL("../docs/openapi.json", import.meta.url));
const MODULE = "virtual:contract";
const BODIES = [
  "Txt2ImgParams",
  "Img2ImgParams",
  "ExtraSingleImageParams",
  "InterrogateClipParams",
  "InterrogateDeepbooruParams",
  "CreateJob",
  "CreateEndpoint",
  "Quotas",
];
const KEPT = ["default", "enum", "exclusiveMaximum", "exclusiveMinimum", "maxLength", "maximum", "minimum", "type"];

function field(schema: Schema, all: Record<string, Schema>): Schema {
  const kinds = [schema, ...(schema.anyOf ?? [])].map((kind) =>
    kind.$ref ? (all[kind.$ref.split("/").at(-1)!] ?? {}) : kind,
  );
  const bounds: Schema = {};
  for (const kind of kinds.filter((each) => each.type !== "null").toReversed())
    for (const name of KEPT) if (kind[name] !== undefined) bounds[name] = kind[name];
  return bounds;
}

export function contract(): Plugin {
  return {
    name: "contract",
    resolveId: (id) => (id === MODULE ? `\0${MODULE}` : undefined),
    load(id) {
      if (id !== `\0${MODULE}`) return undefined;
      this.addWatchFile(DOCUMENT);
      const all = JSON.parse(readFileSync(DOCUMENT, "utf8")).components.schemas as Record<string, Schema>;
      const chosen = BODIES.map((name) => {
        const properties = all[name]!.properties as Record<string, Schema>;
        return [name, Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, field(value, all)]))];
      });
      return [
        `export const BOUNDS = ${JSON.stringify(Object.fromEntries(chosen))};`,
        `export const PREDICTIONS = ${JSON.stringify(all.PredictionType!.enum)};`,
        `export const ASSET_TYPES = ${JSON.stringify(all.AssetType!.enum)};`,
        `export const PERMISSIONS = ${JSON.stringify(all.Permission!.enum)};`,
      ].join("\n");
    },
  };
}
