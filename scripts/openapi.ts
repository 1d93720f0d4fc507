import { writeFile } from "node:fs/promises";
import { printOpenApi } from "../lib/http/openapi.ts";

await writeFile(new URL("../docs/reference/openapi.json", import.meta.url), printOpenApi());
