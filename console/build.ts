import { readFileSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build, type Metafile } from "esbuild";

const ROOT = join(import.meta.dirname, "..");
const SCRIPT = "console/src/main.tsx";
const STYLE = "console/src/styles.css";
const ICON = "console/icon.svg";

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** A file of the page, compressed once, when it is built. */
export interface ConsoleFile {
  readonly mediaType: string;
  /** Base64. */
  readonly gzip: string;
  /** Base64. */
  readonly brotli: string;
}

export interface ConsoleFiles {
  /** The page itself. It names the assets of the first view. */
  readonly page: ConsoleFile;
  /** By name. The name has a hash of the content, so that an asset never changes. */
  readonly assets: Readonly<Record<string, ConsoleFile>>;
}

/** Bundles and compresses the web page. */
export async function buildConsole(): Promise<ConsoleFiles> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [SCRIPT, STYLE, ICON],
    outdir: "console/dist",
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    loader: { ".svg": "copy" },
    bundle: true,
    splitting: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    legalComments: "none",
    metafile: true,
    write: false,
    logLevel: "error",
  });
  const assets = outputFiles.map(({ path, contents }) => {
    const mediaType = MEDIA_TYPES[extname(path)];
    if (!mediaType) throw new Error(`The console has a file of an unknown type: ${path}`);
    return [basename(path), compressed(mediaType, contents)] as const;
  });
  return { page: compressed("text/html; charset=utf-8", pageOf(metafile)), assets: Object.fromEntries(assets) };
}

/** The page, with the names of the assets that it needs at once. */
function pageOf({ outputs }: Metafile): Buffer {
  const outputOf = (source: string) => {
    const found = Object.entries(outputs).find(([, { inputs }]) => source in inputs);
    if (!found) throw new Error(`The console was built without ${source}`);
    return found;
  };
  const [script, { imports }] = outputOf(SCRIPT);
  const preloads = imports
    .filter(({ kind }) => kind === "import-statement")
    .map(({ path }) => `<link rel="modulepreload" href="${addressOf(path)}" />`);
  const values: Readonly<Record<string, string>> = {
    SCRIPT: addressOf(script),
    STYLE: addressOf(outputOf(STYLE)[0]),
    ICON: addressOf(outputOf(ICON)[0]),
    PRELOADS: preloads.join(""),
  };
  const template = readFileSync(join(ROOT, "console/index.html"), "utf8");
  return Buffer.from(template.replaceAll(/\{\{(\w+)\}\}/g, (_, name) => values[name] ?? ""));
}

/** Relative to the page, because the API's address can have a path. */
function addressOf(output: string): string {
  return `console/${basename(output)}`;
}

function compressed(mediaType: string, content: Uint8Array): ConsoleFile {
  return {
    mediaType,
    gzip: gzipSync(content, { level: 9 }).toString("base64"),
    brotli: brotliCompressSync(content, {
      params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length },
    }).toString("base64"),
  };
}
