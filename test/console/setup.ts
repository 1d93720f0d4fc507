import { chromium } from "playwright-core";
import type { TestProject } from "vitest/node";
import { CHROMIUM_OPTIONS, isChromiumInstalled } from "../../testkit/chromium.ts";
import startSharedStack from "../../testkit/sharedStack.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where the tests connect to the browser that they share. */
    browserUrl: string;
  }
}

/** One stack and one browser for all tests of the console; none where these are skipped. */
export default async function setup(project: TestProject): Promise<(() => Promise<unknown>) | undefined> {
  if (!isChromiumInstalled) return undefined;
  const browser = await chromium.launchServer(CHROMIUM_OPTIONS);
  project.provide("browserUrl", browser.wsEndpoint());
  const stopStack = await startSharedStack(project);
  return async () => {
    await browser.close();
    await stopStack?.();
  };
}
