import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
  type Request,
} from "playwright-core";
import { describe, expect, inject, onTestFinished } from "vitest";
import * as z from "zod";
import { isChromiumInstalled, signInWithToken } from "../../testkit/chromium.ts";
import { tokenOf } from "../../testkit/client.ts";

const configSchema = z.object({ oidc: z.object({ issuer: z.string() }).nullable() });
/** What Chromium prints when a content security policy forbids something. */
const POLICY_MESSAGE = /Content Security Policy|requires 'Trusted/;
const ACTION_TIMEOUT_MS = 30_000;
let shared: Promise<{ readonly browser: Browser; readonly origins: ReadonlySet<string> }> | undefined;

/** Tests in a real browser. Where it is missing they are skipped, and their name says why. */
export function describeInChromium(name: string, tests: () => void): void {
  describe.skipIf(!isChromiumInstalled)(`${name} (needs Debian's chromium-headless-shell)`, tests);
}

/**
 * A window with a profile of its own. When the test has finished, it fails if a page sent a request to another origin than
 * the console's and the identity provider's, threw an error that nothing caught, or tried what its content security policy
 * forbids.
 */
export async function openWindow(options: BrowserContextOptions = {}): Promise<Page> {
  shared ??= connect();
  const { browser, origins } = await shared;
  const context = await browser.newContext({ baseURL: inject("apiUrl"), locale: "en-US", ...options });
  context.setDefaultTimeout(ACTION_TIMEOUT_MS);
  const offences = watch(context, origins);
  onTestFinished(async () => {
    // A page polls, so that a request can be in a handler of the test when it ends.
    await Promise.all(context.pages().map((page) => page.unrouteAll({ behavior: "ignoreErrors" })));
    await context.close();
    expect(offences).toEqual([]);
  });
  return context.newPage();
}

async function connect() {
  const apiUrl = inject("apiUrl");
  const browser = await chromium.connect(inject("browserUrl"));
  const response = await fetch(`${apiUrl}/console/config.json`);
  const { oidc } = configSchema.parse(await response.json());
  return { browser, origins: new Set([apiUrl, ...(oidc ? [oidc.issuer] : [])].map((url) => new URL(url).origin)) };
}

function watch(context: BrowserContext, origins: ReadonlySet<string>): readonly string[] {
  const offences: string[] = [];
  context.on("request", (request) => {
    if (!origins.has(new URL(request.url()).origin)) offences.push(`Requested ${request.url()}`);
  });
  context.on("weberror", (error) => offences.push(`Threw ${error.error()}`));
  context.on("console", (message) => {
    if (POLICY_MESSAGE.test(message.text())) offences.push(message.text());
  });
  return offences;
}

/** A window in which a user has signed in by pasting a token. @param path of the page, such as `/wallets/alice/holds` */
export async function openConsole(user: string, { path = "/", scope, ...options }: ConsoleOptions = {}): Promise<Page> {
  const page = await openWindow(options);
  await page.goto(`/#${path}`);
  await signInWithToken(page, await tokenOf(user, scope));
  return page;
}

interface ConsoleOptions extends BrowserContextOptions {
  readonly path?: string;
  readonly scope?: string;
}

export async function fillMoney(page: Page, amount: string, currency = "USD"): Promise<void> {
  await page.getByLabel("Amount").fill(amount);
  await page.getByLabel("Currency").selectOption(currency);
}

/** The requests with commands that the pages of a window send from now on, in order. */
export function sentCommands(page: Page): readonly Request[] {
  const commands: Request[] = [];
  page.context().on("request", (request) => {
    if (keyOf(request) !== undefined) commands.push(request);
  });
  return commands;
}

export function keyOf(request: Request): string | undefined {
  return request.headers()["idempotency-key"];
}
