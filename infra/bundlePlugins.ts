import { readFileSync } from "node:fs";
import type { Plugin } from "esbuild";

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

/** serverless.yml refers to this file. */
export default [versionOnly];
