import type { Locator, Page } from "playwright-core";
import { expect, test } from "vitest";
import { ADMIN_SCOPE } from "../../lib/http/authenticate.ts";
import { balanceOf, movement, newUser } from "../../testkit/client.ts";
import { historyOf, operatorId, walletWith } from "./given.ts";
import { describeInChromium, fillMoney, openConsole } from "./window.ts";

const usd = (amount: string) => ({ currency: "USD", amount });

/** Sends the form, and waits for the outcome. */
async function send(page: Page, button: string): Promise<void> {
  await page.getByRole("button", { name: button, exact: true }).click();
  await page.getByRole("heading", { name: "Done" }).waitFor();
}

describeInChromium("the forms of the console", () => {
  test("deposit, with reference and metadata", async () => {
    const wallet = await walletWith();
    const page = await openConsole(wallet.userId);
    await page.getByRole("link", { name: "Make a deposit" }).click();
    await fillMoney(page, "100.00");
    await page.getByLabel("Reference").fill("salary");
    await page.getByLabel("Metadata").fill("month = 11");
    await send(page, "Deposit");
    expect(await page.getByRole("main").textContent()).toContain("New balance in USD$100.00");
    expect(await historyOf(wallet)).toMatchObject([
      { type: "deposit", ...usd("100.00"), reference: "salary", metadata: { month: "11" }, actor: "owner" },
    ]);
  });

  test("withdraw, in another currency; a rejection says what to do, and the form can be changed", async () => {
    const wallet = await walletWith({ JPY: "500" });
    const page = await openConsole(wallet.userId);
    await page.getByRole("link", { name: "Withdraw" }).click();
    await fillMoney(page, "501", "JPY");
    await page.getByRole("button", { name: "Withdraw" }).click();
    await page.getByText("The available balance is too small.").waitFor();
    await page.getByRole("button", { name: "Change and send again" }).click();
    expect(await page.getByLabel("Amount").inputValue()).toBe("501");
    await page.getByLabel("Amount").fill("500");
    await send(page, "Withdraw");
    expect(await historyOf(wallet)).toMatchObject([
      { type: "withdrawal", currency: "JPY", amount: "500", status: "posted" },
      { type: "withdrawal", currency: "JPY", amount: "501", status: "rejected" },
      { type: "deposit" },
    ]);
  });

  test("send", async () => {
    const [wallet, bob] = await Promise.all([walletWith({ USD: "10.00" }), walletWith({ USD: "1.00" }, "bob")]);
    const page = await openConsole(wallet.userId);
    await page.getByRole("link", { name: "Send" }).click();
    await page.getByLabel("Receiver").fill(bob.userId);
    await fillMoney(page, "2.50");
    await send(page, "Send");
    const [transfer] = await historyOf(wallet);
    expect(transfer).toMatchObject({ ...usd("2.50"), transfer: { to: bob.userId, status: "credited" } });
    expect(await balanceOf(bob, "USD")).toBe("3.50");
  });

  test("what is wrong is said at the field, which has the focus, and nothing is sent", async () => {
    const wallet = await walletWith({ USD: "10.00" });
    const page = await openConsole(wallet.userId);
    await page.getByRole("link", { name: "Send" }).click();
    await fillMoney(page, "1.001");
    await page.getByRole("button", { name: "Send" }).click();
    const [receiver, amount] = [page.getByLabel("Receiver"), page.getByLabel("Amount")];
    await page.locator("[name=to]:focus").waitFor();
    expect(await describedBy(receiver)).toContain("Enter the user id of the receiver.");
    expect(await describedBy(amount)).toContain("USD has at most 2 decimals.");

    await receiver.fill(newUser("nobody"));
    await amount.fill("1.00");
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByText("This user has no open wallet.").waitFor();
    expect(await receiver.inputValue()).toMatch(/^nobody-/);
    expect(await historyOf(wallet)).toHaveLength(1);
  });

  test("hold, then capture a part, then release the rest", async () => {
    const wallet = await walletWith({ USD: "10.00" });
    const page = await openConsole(wallet.userId);
    await page.getByRole("link", { name: "Hold", exact: true }).click();
    await fillMoney(page, "6.00");
    await send(page, "Hold");
    await page.getByRole("link", { name: "Open the transaction" }).click();
    await page.getByRole("link", { name: "Capture" }).click();
    await page.getByLabel("Amount").fill("4.00");
    await page.getByLabel("Make the rest available again").uncheck();
    await send(page, "Capture");
    await page.goto(`/#/wallets/${wallet.userId}/holds`);
    await page.getByRole("link", { name: "Release" }).click();
    await send(page, "Release");
    expect(await historyOf(wallet)).toMatchObject([
      { type: "release", amount: "2.00" },
      { type: "capture", amount: "4.00", final: false },
      { type: "hold", ...usd("6.00"), hold: { remaining: "0.00" } },
      { type: "deposit" },
    ]);
  });

  test("a hold that is promised to a shop, which captures it", async () => {
    const [wallet, shop] = await Promise.all([walletWith({ USD: "10.00" }), walletWith({ USD: "1.00" }, "shop")]);
    const page = await openConsole(wallet.userId, { path: `/wallets/${wallet.userId}/commands/hold` });
    await fillMoney(page, "6.00");
    await page.getByLabel("Promised to").fill(shop.userId);
    await page.getByLabel("Expires").fill(inDays(3));
    await send(page, "Hold");
    const [hold] = await historyOf(wallet);
    expect(hold).toMatchObject({ type: "hold", hold: { to: shop.userId } });

    const ofShop = await openConsole(shop.userId, { path: `/wallets/${shop.userId}/holds` });
    await ofShop.getByLabel("Holder").fill(wallet.userId);
    await ofShop.getByLabel("Hold", { exact: true }).fill(hold?.id ?? "");
    await ofShop.getByRole("button", { name: "Open the hold" }).click();
    await ofShop.getByRole("link", { name: "Capture" }).click();
    await send(ofShop, "Capture");
    expect(await balanceOf(shop, "USD")).toBe("7.00");
  });

  test("refund of a received credit, in part", async () => {
    const [wallet, bob] = await Promise.all([walletWith({ USD: "10.00" }), walletWith({ USD: "1.00" }, "bob")]);
    await wallet.transfer({ ...movement("USD", "4.00"), to: bob.userId });
    const page = await openConsole(bob.userId);
    await page.getByRole("link", { name: `Credit from ${wallet.userId}` }).click();
    await page.getByRole("link", { name: "Refund" }).click();
    await page.getByLabel("Amount").fill("1.50");
    await send(page, "Refund");
    expect(await balanceOf(wallet, "USD")).toBe("7.50");
  });
});

describeInChromium("the forms of operators", () => {
  const openAsOperator = (path: string) => openConsole(operatorId, { path, scope: ADMIN_SCOPE });

  test("find a wallet and freeze it", async () => {
    const wallet = await walletWith({ USD: "10.00" });
    const page = await openAsOperator("/");
    await page.getByLabel("User id").fill(wallet.userId);
    await page.getByRole("button", { name: "Open the wallet" }).click();
    await page.getByRole("link", { name: "Change status" }).click();
    await page.getByLabel("New status").selectOption("Frozen");
    await send(page, "Change status");
    expect(await wallet.balances()).toMatchObject({ status: "frozen" });
  });

  test("exchange", async () => {
    const wallet = await walletWith({ USD: "10.00" });
    const page = await openAsOperator(`/wallets/${wallet.userId}/commands/exchange`);
    await page.getByLabel("Amount to sell", { exact: true }).fill("10.00");
    await page.getByLabel("Currency of amount to sell").selectOption("USD");
    await page.getByLabel("Amount to buy", { exact: true }).fill("9.00");
    await page.getByLabel("Currency of amount to buy").selectOption("EUR");
    await send(page, "Exchange");
    expect(await balanceOf(wallet, "EUR")).toBe("9.00");
    expect(await balanceOf(wallet, "USD")).toBe("0.00");
  });

  test("reverse a deposit", async () => {
    const wallet = await walletWith({ USD: "10.00" });
    const [deposit] = await historyOf(wallet);
    const page = await openAsOperator(`/wallets/${wallet.userId}/transactions/${deposit?.id}`);
    await page.getByRole("link", { name: "Reverse" }).click();
    await send(page, "Reverse");
    expect(await balanceOf(wallet, "USD")).toBe("0.00");
  });
});

/** What a screen reader says about a control besides its name. */
async function describedBy(control: Locator): Promise<string> {
  const ids = (await control.getAttribute("aria-describedby")) ?? "";
  const texts = ids.split(" ").map((id) => control.page().locator(`[id="${id}"]`).textContent());
  return (await Promise.all(texts)).join(" ");
}

/** For a control of the type `datetime-local`. */
function inDays(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 16);
}
