import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { contract } from "./bounds";

export default defineConfig({
  // Relative addresses: the page is served below `/`, or below `/prod/` of an API Gateway.
  base: "./",
  plugins: [react(), contract()],
  worker: { format: "es" },
  resolve: {
    // The client's sources, not its build; what they import is the console's own copy.
    alias: { "@generate-on-cloud/client": fileURLToPath(new URL("../clients/typescript/src/index.ts", import.meta.url)) },
    dedupe: ["openapi-fetch"],
  },
  build: {
    outDir: "../build/console/site",
    emptyOutDir: true,
    assetsDir: "console",
    target: "es2022",
    // Fonts and pictures are text as well: API Gateway then needs no binary media types.
    assetsInlineLimit: 8192,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
