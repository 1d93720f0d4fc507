import { buildConsole } from "./build.ts";

/** The files of the page. A bundle has what this module returned when the bundle was made: see infra/bundlePlugins.ts. */
export const files = await buildConsole();
