#!/usr/bin/env node
import { existsSync } from "node:fs";

// The package has the bundle only, a checkout of the repository runs its source.
const source = new URL("../src/antler.ts", import.meta.url);
await import(existsSync(source) ? source.href : "../dist/antler.js");
