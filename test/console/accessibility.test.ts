import axe, { type AxeResults } from "axe-core";
import type { Locator, Page } from "playwright-core";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { ADMIN_SCOPE } from "../../lib/http/authenticate.ts";
import { signInWithToken } from "../../testkit/chromium.ts";
import { balanceOf, clientOf, movement, tokenOf } from "../../testkit/client.ts";
import { operatorId, walletWith } from "./given.ts";
import { describeInChromium, openWindow } from "./window.ts";

const WCAG_2_2_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const RUN = `axe.run({
  runOnly: ${JSON.stringify(WCAG_2_2_AA)},
  resultTypes: ["violations"],
  rules: { "target-size": { enabled: true } },
})`;

/** What axe finds wrong in the page, in both themes, and whether the page is wider than a small phone. */
async function findProblems(page: Page): Promise<string[]> {
  const problems: string[] = [];
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const { violations }: AxeResults = await page.evaluate(RUN);
    for (const { id, nodes } of violations) {
      problems.push(...nodes.map(({ html, failureSummary }) => `${colorScheme} ${id}: ${html} ${failureSummary}`));
    }
  }
  const width = await page.evaluate("document.documentElement.scrollWidth");
  if (width !== WIDTH) problems.push(`The page is ${width} px wide`);
  return problems;
}

const WIDTH = 320;
/** A window of the size of a small phone, with axe. */
async function openWithAxe(path = "/"): Promise<Page> {
  const page = await openWindow({ viewport: { width: WIDTH, height: 800 } });
  await page.context().addInitScript({ content: axe.source });
  await page.goto(`/#${path}`);
  return page;
}

const TABS_MAX = 40;

/** Moves the focus with the Tab key, which must stay visible. */
async function tabTo(target: Locator): Promise<void> {
  const page = target.page();
  for (let tabs = 1; tabs <= TABS_MAX; tabs++) {
    await page.keyboard.press("Tab");
    expect(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")).not.toBe("none");
    if ((await target.and(page.locator(":focus")).count()) > 0) return;
  }
  throw new Error(`${target} has no focus after ${TABS_MAX} presses of Tab`);
}

describeInChromium("accessibility of the console", () => {
  test("a transfer from the sign-in to its outcome, with the keyboard only", async () => {
    const [alice, bob] = await Promise.all([walletWith({ USD: "10.00" }), walletWith({ USD: "1.00" }, "bob")]);
    const page = await openWindow();
    const { keyboard } = page;
    const button = (name: string) => page.getByRole("button", { name, exact: true });
    const pageHasFocus = () => page.locator("h1:focus").waitFor();
    await page.goto("/");
    await page.getByText("Use a token instead").waitFor();
    await tabTo(page.getByText("Use a token instead"));
    await keyboard.press("Enter");
    await tabTo(page.getByLabel("Token"));
    await keyboard.insertText(await tokenOf(alice.userId));
    await tabTo(button("Sign in with this token"));
    await keyboard.press("Enter");
    await page.getByRole("link", { name: "Send" }).waitFor();

    await tabTo(page.getByRole("link", { name: "Send" }));
    await keyboard.press("Enter");
    await pageHasFocus();
    await page.getByLabel("Receiver").waitFor();
    await tabTo(page.getByLabel("Receiver"));
    await keyboard.type(bob.userId);
    await tabTo(page.getByLabel("Amount"));
    await keyboard.type("2.00");
    await tabTo(page.getByLabel("Currency"));
    await keyboard.type("USD");
    await tabTo(button("Send"));
    await keyboard.press("Enter");
    await page.locator("h2:focus", { hasText: "Done" }).waitFor();
    expect(await balanceOf(bob, "USD")).toBe("3.00");

    await tabTo(page.getByRole("link", { name: "Back to the wallet" }));
    await keyboard.press("Enter");
    await pageHasFocus();
    await page.getByRole("link", { name: `Transfer to ${bob.userId}` }).waitFor();
  });

  describe("WCAG 2.2 AA in both themes, at a width of 320 px", () => {
    test("of the sign-in", async () => {
      const page = await openWithAxe();
      await page.getByRole("button", { name: "Sign in", exact: true }).waitFor();
      await page.getByText("Use a token instead").click();
      expect(await findProblems(page)).toEqual([]);
    });

    test("of every page", async () => {
      const [wallet, bob] = await Promise.all([
        walletWith({ USD: "100.00", ETH: "1.5", JPY: "700" }),
        walletWith({ USD: "1.00" }, "bob"),
      ]);
      const details = { reference: "rent", metadata: { month: "11" } };
      await wallet.transfer({ ...movement("USD", "4.00"), to: bob.userId, ...details });
      await wallet.withdraw(movement("USD", "900.00"));
      const hold = await wallet.hold(movement("USD", "6.00"));
      const promised = await wallet.hold({ ...movement("USD", "6.00"), to: bob.userId });
      const { webhooks } = clientOf(inject("apiUrl"), operatorId, ADMIN_SCOPE);
      const endpoint = await webhooks.create({ url: "http://localhost:9/" });
      onTestFinished(() => webhooks.delete(endpoint.id));

      const page = await openWithAxe();
      await signInWithToken(page, await tokenOf(operatorId, ADMIN_SCOPE));
      const path = `/wallets/${wallet.userId}`;
      const forms = ["deposit", "withdrawal", "transfer", "hold", "exchange", "status_change"];
      const problems: Record<string, readonly string[]> = {};
      for (const [address, shown] of [
        ["/", "The service is healthy"],
        ["/webhooks", endpoint.id],
        [path, `Transfer to ${bob.userId}`],
        [`${path}/holds`, `Hold for ${bob.userId}`],
        [`${path}/statement`, "Opening balance"],
        [`${path}/verification`, "decisions are valid"],
        [`${path}/transactions/${promised.id}`, "Postings"],
        ...forms.map((type) => [`${path}/commands/${type}`, "Metadata"] as const),
        [`${path}/commands/capture/${hold.id}`, "Make the rest available again"],
        ["/nowhere", "Page not found"],
      ] as const) {
        await page.goto(`/#${address}`);
        await page.getByRole("main").getByText(shown).first().waitFor();
        const found = await findProblems(page);
        if (found.length > 0) problems[address] = found;
      }
      expect(problems).toEqual({});
    });

    test("of a form with errors, and of an outcome", async () => {
      const { userId } = await walletWith();
      const page = await openWithAxe(`/wallets/${userId}/commands/withdrawal`);
      await signInWithToken(page, await tokenOf(userId));
      await page.getByRole("button", { name: "Withdraw" }).click();
      await page.getByText("Enter an amount.").waitFor();
      expect(await findProblems(page)).toEqual([]);
      await page.getByLabel("Amount").fill("1.00");
      await page.getByRole("button", { name: "Withdraw" }).click();
      await page.getByRole("heading", { name: "Rejected" }).waitFor();
      expect(await findProblems(page)).toEqual([]);
    });
  });
});
