import { writeFile } from "node:fs/promises";
import { printOpenApi } from "../lib/http/openapi.ts";
import { readArguments } from "./command.ts";

const USAGE = `Usage: npm run openapi

Writes docs/reference/openapi.json from the schemas and the routes.`;

readArguments({ usage: USAGE });
await writeFile(new URL("../docs/reference/openapi.json", import.meta.url), printOpenApi());
