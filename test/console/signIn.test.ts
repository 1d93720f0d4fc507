import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { ADMIN_SCOPE } from "../../lib/http/authenticate.ts";
import { signInWithToken } from "../../testkit/chromium.ts";
import { newUser, tokenOf } from "../../testkit/client.ts";
import { historyOf, walletWith } from "./given.ts";
import { describeInChromium, fillMoney, openConsole, openWindow } from "./window.ts";

const heading = (page: Page, name: string) => page.getByRole("heading", { level: 1, name });
const signInButton = (page: Page) => page.getByRole("button", { name: "Sign in", exact: true });
const expired = (page: Page) => page.getByText("Your session has expired.");

/** What the window has stored, and its address: nothing of it may stay after a sign-out. */
const stored = (page: Page) => page.evaluate("JSON.stringify({ ...sessionStorage })");

async function openFilledForm(userId: string): Promise<Page> {
  const page = await openConsole(userId, { path: `/wallets/${userId}/commands/deposit` });
  await fillMoney(page, "7.00");
  return page;
}

describeInChromium("the sign-in of the console", () => {
  test("one click as a user, who comes back to the page that was opened", async () => {
    const page = await openWindow();
    await page.goto("/#/wallets/alice/holds");
    await signInButton(page).click();
    await page.getByRole("button", { name: "Sign in as alice" }).click();
    await heading(page, "Holds").waitFor();
    expect(new URL(page.url())).toMatchObject({ search: "", hash: "#/wallets/alice/holds" });
    expect(await page.getByRole("link", { name: "Webhooks" }).count()).toBe(0);
  });

  test("one click as an operator", async () => {
    const page = await openWindow();
    await page.goto("/");
    await signInButton(page).click();
    await page.getByRole("button", { name: "Sign in as an operator" }).click();
    await page.getByRole("link", { name: "Webhooks" }).waitFor();
  });

  test("as any other user", async () => {
    const user = newUser();
    const page = await openWindow();
    await page.goto("/");
    await signInButton(page).click();
    await page.getByLabel("Another user id").fill(user);
    await page.getByRole("button", { name: "Sign in as this user" }).click();
    await heading(page, user).waitFor();
  });

  test("with a pasted token; what is no token is refused with a sentence", async () => {
    const user = newUser();
    const page = await openWindow();
    await page.goto("/");
    await signInWithToken(page, "alice");
    await page.getByText("This is not a token").waitFor();
    await page.getByLabel("Token").fill(await tokenOf(user, ADMIN_SCOPE));
    await page.getByRole("button", { name: "Sign in with this token" }).click();
    await heading(page, "Operator").waitFor();
    await page.getByRole("link", { name: "Webhooks" }).waitFor();
  });

  test("lasts through a reload, and ends with a sign-out that leaves nothing", async () => {
    const { userId } = await walletWith({ USD: "10.00" });
    const page = await openConsole(userId);
    await page.reload();
    await page.getByText("$10.00").first().waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await signInButton(page).waitFor();
    expect(await stored(page)).toBe("{}");
    await page.reload();
    await signInButton(page).waitFor();
    expect(await page.getByText("$10.00").count()).toBe(0);
  });

  test("ends when the token expires, and what was entered stays", async () => {
    const user = newUser();
    const page = await openWindow();
    await page.clock.install();
    await page.goto(`/#/wallets/${user}/commands/deposit`);
    await signInWithToken(page, await tokenOf(user));
    await fillMoney(page, "7.00");
    await page.clock.fastForward("13:00:00");
    await expired(page).waitFor();
    expect(await page.getByLabel("Amount").inputValue()).toBe("7.00");
  });

  test("can be repeated in a second window when the API refuses the token, and then the form is sent", async () => {
    const wallet = await walletWith();
    const page = await openFilledForm(wallet.userId);
    const refuse = { status: 401, contentType: "application/problem+json", body: '{"code":"unauthorized"}' };
    await page.route("**/v1/users/**", (route) => route.fulfill(refuse));
    await page.getByRole("button", { name: "Deposit" }).click();
    await expired(page).waitFor();
    await page.unroute("**/v1/users/**");

    const popup = page.waitForEvent("popup");
    await page.getByRole("button", { name: "Sign in again" }).click();
    const second = await popup;
    await second.getByLabel("Another user id").fill(wallet.userId);
    await Promise.all([
      second.waitForEvent("close"),
      second.getByRole("button", { name: "Sign in as this user" }).click(),
    ]);
    await expired(page).waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Send again" }).click();
    await page.getByRole("heading", { name: "Done" }).waitFor();
    expect(await historyOf(wallet)).toMatchObject([{ type: "deposit", amount: "7.00" }]);
  });
});
