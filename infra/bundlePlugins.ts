import { readFileSync } from "node:fs";
import type { Plugin } from "esbuild";

/** The SDK's clients import their whole package.json for the sake of its version. */
const versionOnly: Plugin = {
  name: "version-only",
  setup({ onLoad }) {
    onLoad({ filter: /node_modules\/@aws-sdk\/[^/]+\/package\.json$/ }, ({ path }) => {
      const { version } = JSON.parse(readFileSync(path, "utf8"));
      return { contents: JSON.stringify({ version }), loader: "json" };
    });
  },
};

/** For serverless-esbuild, whose settings in serverless.yml name this file. */
export default [versionOnly];
