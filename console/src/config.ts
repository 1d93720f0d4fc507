import type { ConsoleConfig } from "../config.ts";
import { apiUrl } from "./api.ts";

let config: Promise<ConsoleConfig> | undefined;

/** How to sign in at this stage. Read once. @throws Error when it can't be read; the next call reads it again */
export function readConfig(): Promise<ConsoleConfig> {
  config ??= fetchConfig();
  config.catch(() => {
    config = undefined;
  });
  return config;
}

async function fetchConfig(): Promise<ConsoleConfig> {
  const response = await fetch(new URL("console/config.json", apiUrl()));
  if (!response.ok) throw new Error(`The settings of the console can't be read (status ${response.status})`);
  return response.json();
}
