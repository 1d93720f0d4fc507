import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openApiDocument } from "../lib/http/openapi.ts";
import { readArguments } from "./command.ts";

const USAGE = `Usage: npm run openapi

Writes docs/reference/openapi.json from the schemas and the routes.`;

const ROOT = join(import.meta.dirname, "..");
const FILE = join(ROOT, "docs/reference/openapi.json");

readArguments({ usage: USAGE });
writeFileSync(FILE, JSON.stringify(openApiDocument));
execFileSync(join(ROOT, "node_modules/.bin/biome"), ["format", "--write", FILE], { stdio: "inherit" });
