import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { parse } from "yaml";
import * as z from "zod";
import plugins from "./bundlePlugins.ts";

const ROOT = join(import.meta.dirname, "..");

/** What serverless.yml says of the bundles. Strict, so that a new setting can't be forgotten here. */
const schema = z.object({
  functions: z.record(z.string(), z.object({ handler: z.templateLiteral([z.string(), ".handler"]) })),
  custom: z.object({
    esbuild: z.strictObject({
      bundle: z.boolean(),
      minify: z.boolean(),
      format: z.literal("esm"),
      target: z.string(),
      mainFields: z.array(z.string()),
      legalComments: z.literal("none"),
      plugins: z.literal("infra/bundlePlugins.ts"),
      exclude: z.array(z.string()),
      outputFileExtension: z.string(),
      banner: z.object({ js: z.string() }),
      skipRebuild: z.boolean(),
      watch: z.unknown(),
      outputWorkFolder: z.string(),
    }),
  }),
});

/** What a deploy sends as a function's code. */
export interface Bundle {
  /** The function's key in serverless.yml. */
  readonly name: string;
  readonly file: string;
  readonly bytes: number;
  /** Bytes in the bundle by source file, named from the repository's folder. */
  readonly sources: ReadonlyMap<string, number>;
  /** What it can't start without and has not in it. */
  readonly needs: readonly string[];
}

/** Every function's code, made as serverless-esbuild makes it and put in the folder. */
export async function bundleFunctions(folder: string): Promise<Bundle[]> {
  const text = readFileSync(join(ROOT, "serverless.yml"), "utf8");
  // CloudFormation's tags, such as !Ref, have no part in this.
  const { functions, custom } = schema.parse(parse(text, { logLevel: "error" }));
  const { exclude, outputFileExtension, skipRebuild: _, watch: __, outputWorkFolder: ___, ...options } = custom.esbuild;
  return Promise.all(
    Object.entries(functions).map(async ([name, { handler }]) => {
      const entry = handler.replace(/\.handler$/, ".ts");
      const { metafile } = await build({
        ...options,
        absWorkingDir: ROOT,
        entryPoints: [entry],
        platform: "node",
        external: exclude,
        plugins,
        outExtension: { ".js": outputFileExtension },
        outdir: join(folder, dirname(entry)),
        metafile: true,
        logLevel: "error",
      });
      const [[, output] = []] = Object.entries(metafile.outputs);
      if (!output) throw new Error(`No bundle was made of ${entry}`);
      const sources = Object.entries(output.inputs).map(([file, { bytesInOutput }]) => [file, bytesInOutput] as const);
      return {
        name,
        file: join(folder, entry.replace(/\.ts$/, outputFileExtension)),
        bytes: output.bytes,
        sources: new Map(sources.filter(([, bytes]) => bytes > 0)),
        needs: output.imports.filter(({ kind }) => kind !== "dynamic-import").map(({ path }) => path),
      };
    }),
  );
}
