import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { parse } from "yaml";
import * as z from "zod";
import plugins from "./bundlePlugins.ts";

const ROOT = join(import.meta.dirname, "..");

/** The bundle settings of serverless.yml. Strict, so that a new setting fails until this file supports it. */
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

/** The deployed code of a function. */
export interface Bundle {
  /** Key of the function in serverless.yml. */
  readonly name: string;
  readonly file: string;
  readonly bytes: number;
  /** Bytes in the bundle by source file, relative to the repository. */
  readonly sources: ReadonlyMap<string, number>;
  /** Modules that it imports at its start and does not contain. */
  readonly needs: readonly string[];
}

/** Bundles every function into the folder with the settings of serverless-esbuild. */
export async function bundleFunctions(folder: string): Promise<Bundle[]> {
  const text = readFileSync(join(ROOT, "serverless.yml"), "utf8");
  // Ignores CloudFormation tags such as !Ref.
  const { functions, custom } = schema.parse(parse(text, { logLevel: "error" }));
  const { exclude, outputFileExtension, skipRebuild: _, watch: __, outputWorkFolder: ___, ...options } = custom.esbuild;
  const entries = Object.entries(functions).map(([name, { handler }]) => ({
    name,
    entry: handler.replace(/\.handler$/, ".ts"),
  }));
  // One build, as patches/serverless-esbuild makes it: what the functions share is parsed once.
  const { metafile } = await build({
    ...options,
    absWorkingDir: ROOT,
    entryPoints: entries.map(({ entry }) => entry),
    platform: "node",
    external: exclude,
    plugins,
    outExtension: { ".js": outputFileExtension },
    outbase: ".",
    outdir: folder,
    metafile: true,
    logLevel: "error",
  });
  return entries.map(({ name, entry }) => {
    const output = Object.values(metafile.outputs).find(({ entryPoint }) => entryPoint === entry);
    if (!output) throw new Error(`No bundle was made of ${entry}`);
    const sources = Object.entries(output.inputs).map(([file, { bytesInOutput }]) => [file, bytesInOutput] as const);
    return {
      name,
      file: join(folder, entry.replace(/\.ts$/, outputFileExtension)),
      bytes: output.bytes,
      sources: new Map(sources.filter(([, bytes]) => bytes > 0)),
      needs: output.imports.filter(({ kind }) => kind !== "dynamic-import").map(({ path }) => path),
    };
  });
}
