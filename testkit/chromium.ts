import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";
import { CommandError } from "../scripts/command.ts";

/** Of Debian's packages. The first is a smaller browser without windows, which takes half the CPU time. None is downloaded. */
const CHROMIUM = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"].find(existsSync);

export const isChromiumInstalled = CHROMIUM !== undefined;

/** For `launch` and `launchServer` of playwright-core. */
export const CHROMIUM_OPTIONS = { executablePath: CHROMIUM ?? "", chromiumSandbox: false };

/** For a command. @throws CommandError where Chromium is missing */
export function launchChromium(): Promise<Browser> {
  if (!isChromiumInstalled) {
    throw new CommandError("Chromium is missing: install Debian's package chromium-headless-shell");
  }
  return chromium.launch(CHROMIUM_OPTIONS);
}

/** Signs in on the console's sign-in page, which is open, without a visit to the identity provider. */
export async function signInWithToken(page: Page, token: string): Promise<void> {
  await page.getByText("Use a token instead").click();
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Sign in with this token" }).click();
}
