import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { movement } from "../../testkit/client.ts";
import { historyOf, walletWith } from "./given.ts";
import { describeInChromium, fillMoney, openConsole } from "./window.ts";

/** Every page of a wallet, and of its newest transaction. */
async function* visit(page: Page, userId: string, id: string) {
  const wallet = `/#/wallets/${userId}`;
  for (const path of [wallet, `${wallet}/transactions/${id}`, `${wallet}/statement`, `${wallet}/verification`]) {
    await page.goto(path);
    yield path;
  }
}

describeInChromium("an open wallet in the console", () => {
  test("shows what another window does, and says it to a screen reader", async () => {
    const [alice, bob] = await Promise.all([walletWith({ USD: "10.00" }), walletWith({ USD: "1.00" }, "bob")]);
    const ofBob = await openConsole(bob.userId);
    await ofBob.getByText("$1.00").first().waitFor();
    const ofAlice = await openConsole(alice.userId, { path: `/wallets/${alice.userId}/commands/transfer` });
    await ofAlice.getByLabel("Receiver").fill(bob.userId);
    await fillMoney(ofAlice, "2.00");
    await ofAlice.getByRole("button", { name: "Send" }).click();

    const arrived = `Credit from ${alice.userId}`;
    await ofBob.getByRole("status").getByText(`New: ${arrived}`).waitFor();
    await ofBob.getByRole("link", { name: arrived }).waitFor();
    await ofBob.getByRole("region", { name: "Balances" }).getByText("$3.00").waitFor();
  });

  test("shows amounts with all their digits, without a wider page", async () => {
    const nines = "9".repeat(18);
    const wallet = await walletWith({ ETH: `${nines}.${nines}`, USD: "1.00" });
    const [, deposit] = await historyOf(wallet);
    const page = await openConsole(wallet.userId, { viewport: { width: 320, height: 640 } });
    // No wallet can get there soon: returns may go beyond the limit, up to 38 digits.
    await page.route("**/balances", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: (await response.text()).replaceAll(`"${nines}.`, `"12${nines}.`) });
    });
    const shown = `${Array(6).fill("999").join(",")}.${nines}`;
    await page.reload();
    await page.getByRole("region", { name: "Balances" }).getByText(`12,${shown}`).waitFor();
    for await (const path of visit(page, wallet.userId, deposit?.id ?? "")) {
      if (path.endsWith("verification")) await page.getByText("decisions are valid").waitFor();
      else await page.getByText(shown).first().waitFor();
      expect(await page.evaluate("document.documentElement.scrollWidth"), path).toBe(320);
    }
  });

  test("shows a hostile reference and hostile metadata as text", async () => {
    const hostile = `"'><img src=x onerror="attacked=1"><svg onload="attacked=1"><script>attacked=1</script>{{attacked=1}}`;
    const [alice, bob] = await Promise.all([walletWith({ USD: "10.00" }), walletWith({ USD: "1.00" }, "bob")]);
    const details = { reference: hostile, metadata: { link: `javascript:${hostile}` } };
    await alice.transfer({ ...movement("USD", "1.00"), to: bob.userId, ...details });
    const [transfer] = await historyOf(alice);
    const page = await openConsole(alice.userId);
    for await (const path of visit(page, alice.userId, transfer?.id ?? "")) {
      if (path.endsWith("verification")) await page.getByText("decisions are valid").waitFor();
      else await page.getByText(hostile).first().waitFor();
      expect(await page.locator("main img[src], main svg[onload], main script").count(), path).toBe(0);
      expect(await page.evaluate("typeof attacked"), path).toBe("undefined");
    }
  });

  test("ignores hostile addresses", async () => {
    const { userId } = await walletWith();
    const page = await openConsole(userId);
    const script = encodeURIComponent("<img src=x onerror=attacked=1>");
    for (const path of [
      `/#/wallets/${script}`,
      `/#/wallets/${userId}/commands/deposit?amount=${script}&reference=${script}`,
      `/#/wallets/${userId}/transactions/${script}`,
      `/#/wallets/${userId}?type=__proto__&currency=${script}&from=${script}`,
      `/#/wallets/%E0%A4%A`,
      `/#/wallets/..`,
    ]) {
      await page.goto(path);
      await page.getByRole("heading", { level: 1 }).waitFor();
      expect(await page.evaluate("typeof attacked"), path).toBe("undefined");
    }
  });
});
