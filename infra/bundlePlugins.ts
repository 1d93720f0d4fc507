import { readFileSync } from "node:fs";
import type { Plugin } from "esbuild";
import { buildConsole } from "../console/build.ts";

/** The clients of the AWS SDK import their whole package.json, but read only its version. */
const versionOnly: Plugin = {
  name: "version-only",
  setup({ onLoad }) {
    onLoad({ filter: /node_modules\/@aws-sdk\/[^/]+\/package\.json$/ }, ({ path }) => {
      const { version } = JSON.parse(readFileSync(path, "utf8"));
      return { contents: JSON.stringify({ version }), loader: "json" };
    });
  },
};

/** Builds the web page into the bundle of its function, in place of the module that builds it when it is imported. */
const builtConsole: Plugin = {
  name: "built-console",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]console[\\/]files\.ts$/ }, async () => ({
      contents: `export const files = ${JSON.stringify(await buildConsole())};`,
      loader: "js",
    }));
  },
};

/** serverless.yml refers to this file. */
export default [versionOnly, builtConsole];
