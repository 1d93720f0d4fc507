import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { historyOf, walletWith } from "./given.ts";
import { describeInChromium, fillMoney, keyOf, openConsole, sentCommands } from "./window.ts";

async function openDeposit(userId: string): Promise<Page> {
  const page = await openConsole(userId, { path: `/wallets/${userId}/commands/deposit` });
  await fillMoney(page, "100.00");
  return page;
}

const depositButton = (page: Page) => page.getByRole("button", { name: "Deposit" });
const done = (page: Page) => page.getByRole("heading", { name: "Done" });
const uncertain = (page: Page) => page.getByText("It is not certain that the ledger has the command");

describeInChromium("a command of the console takes effect once", () => {
  test("if the button is clicked twice", async () => {
    const wallet = await walletWith();
    const page = await openDeposit(wallet.userId);
    const commands = sentCommands(page);
    // Faster than any user: the page can't change the button between the clicks.
    await page.evaluate("const button = document.querySelector('[type=submit]'); button.click(); button.click()");
    await done(page).waitFor();
    expect(commands).toHaveLength(1);
    expect(await historyOf(wallet)).toHaveLength(1);
  });

  test.each([
    ["has the command", true],
    ["does not have it", false],
  ])("if the page is reloaded while the request is under way, and the ledger %s", async (_, hasIt) => {
    const wallet = await walletWith();
    const page = await openDeposit(wallet.userId);
    const commands = sentCommands(page);
    const underWay = Promise.withResolvers<void>();
    await page.route(
      "**/deposits",
      async (route) => {
        if (hasIt) await route.fetch();
        // The page is gone before an answer arrives.
        underWay.resolve();
      },
      { times: 1 },
    );
    await depositButton(page).click();
    await underWay.promise;
    await page.reload();
    await done(page).waitFor();
    expect(commands).toHaveLength(2);
    expect(new Set(commands.map(keyOf)).size).toBe(1);
    expect(await historyOf(wallet)).toHaveLength(1);
  });

  test("if the page is left while the request is under way: the wallet shows it", async () => {
    const wallet = await walletWith();
    const page = await openDeposit(wallet.userId);
    const reachesLedger = Promise.withResolvers<void>();
    await page.route("**/deposits", (route) => reachesLedger.promise.then(() => route.continue()));
    await depositButton(page).click();
    await page.getByRole("link", { name: "Back to the wallet" }).click();
    const inProgress = page.getByRole("region", { name: "In progress" });
    await inProgress.getByText("100.00 USD").waitFor();
    reachesLedger.resolve();
    await page.getByRole("region", { name: "History" }).getByRole("link", { name: "Deposit" }).waitFor();
    await inProgress.waitFor({ state: "detached" });
    expect(await historyOf(wallet)).toHaveLength(1);
  });

  test("if there is no network: it is sent again with its key as soon as there is", async () => {
    const wallet = await walletWith();
    const page = await openDeposit(wallet.userId);
    const commands = sentCommands(page);
    await page.context().setOffline(true);
    await depositButton(page).click();
    await uncertain(page).waitFor();
    await page.getByText("Check your connection").waitFor();
    await page.context().setOffline(false);
    await done(page).waitFor();
    expect(commands.length).toBeGreaterThan(1);
    expect(new Set(commands.map(keyOf)).size).toBe(1);
    expect(await historyOf(wallet)).toHaveLength(1);
  });

  test("if every answer is lost: the user sends it again, with its key", async () => {
    const wallet = await walletWith();
    const page = await openDeposit(wallet.userId);
    const commands = sentCommands(page);
    await page.route("**/deposits", (route) => route.fetch().then(() => route.abort()));
    await depositButton(page).click();
    await uncertain(page).waitFor();
    await page.unroute("**/deposits");
    await page.getByRole("button", { name: "Send again" }).click();
    await done(page).waitFor();
    expect(new Set(commands.map(keyOf)).size).toBe(1);
    expect(await historyOf(wallet)).toHaveLength(1);
  });

  test("and the next one of the form has another key", async () => {
    const wallet = await walletWith();
    const page = await openDeposit(wallet.userId);
    const commands = sentCommands(page);
    await depositButton(page).click();
    await page.getByRole("button", { name: "Enter another" }).click();
    await fillMoney(page, "100.00");
    await depositButton(page).click();
    await done(page).waitFor();
    expect(new Set(commands.map(keyOf)).size).toBe(2);
    expect(await historyOf(wallet)).toHaveLength(2);
  });
});
