import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { ADMIN_SCOPE } from "../../lib/http/authenticate.ts";
import { movement } from "../../testkit/client.ts";
import { listenForTest } from "../../testkit/perTest.ts";
import { historyOf, operatorId, walletWith } from "./given.ts";
import { describeInChromium, openConsole } from "./window.ts";

describeInChromium("the pages of the console", () => {
  test("the history is filtered, and has more pages on demand", async () => {
    const wallet = await walletWith({ EUR: "1.00" });
    for (let count = 1; count <= 26; count++) await wallet.deposit(movement("USD", `${count}.00`));
    const page = await openConsole(wallet.userId);
    const rows = page.getByRole("list", { name: "Transactions" }).getByRole("listitem");
    await expect.poll(() => rows.count()).toBe(25);
    await rows.last().scrollIntoViewIfNeeded();
    await expect.poll(() => rows.count()).toBe(27);
    expect(await rows.first().textContent()).toContain("+$26.00Balance $351.00");

    await page.getByLabel("Currency").selectOption("EUR");
    await expect.poll(() => rows.count()).toBe(1);
    await page.getByLabel("Status").selectOption("Rejected");
    await page.getByText("No transaction matches the filters").waitFor();
    await page.reload();
    await page.getByText("No transaction matches the filters").waitFor();
  });

  test("a transaction has its postings, its timeline and its hash", async () => {
    const wallet = await walletWith({ USD: "10.00" });
    const [deposit] = await historyOf(wallet);
    const page = await openConsole(wallet.userId);
    await page.getByRole("region", { name: "History" }).getByRole("link", { name: "Deposit" }).click();
    for (const part of ["What happened", "Postings", "Details"]) {
      await page.getByRole("heading", { name: part, exact: true }).waitFor();
    }
    await page.getByText(deposit?.hash ?? "", { exact: true }).waitFor();
  });

  test("a statement has totals, lines, a chart and a file", async () => {
    const wallet = await walletWith({ USD: "10.00" });
    await wallet.withdraw({ ...movement("USD", "2.50"), reference: "cash" });
    const page = await openConsole(wallet.userId, { path: `/wallets/${wallet.userId}/statement` });
    await page.getByRole("img", { name: "Balance in USD, between $0.00 and $10.00" }).waitFor();
    const lines = page.getByRole("row").filter({ hasText: "$" });
    expect(await lines.allTextContents()).toEqual([
      "Opening balance$0.00",
      expect.stringMatching(/Deposit \$10\.00\$10\.00$/),
      expect.stringMatching(/Withdrawal cash\$2\.50\$7\.50$/),
    ]);
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download as CSV" }).click();
    const file = await text(await (await download).createReadStream());
    expect(file.trimEnd().split("\r\n")).toHaveLength(3);
    expect(file).toContain("cash");
  });

  test("the history is verified, and one that was changed is not valid", async () => {
    const wallet = await walletWith({ USD: "10.00" });
    await wallet.withdraw(movement("USD", "2.50"));
    const page = await openConsole(wallet.userId, { path: `/wallets/${wallet.userId}/verification` });
    await page.getByText("All 2 decisions are valid.").waitFor();

    await page.route("**/transactions?*", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: (await response.text()).replaceAll("2.50", "1.50") });
    });
    await page.reload();
    await page.getByText("The history is not valid from decision 2 on.").waitFor();
  });

  test("a page that does not exist, or is for operators, says so", async () => {
    const { userId } = await walletWith();
    const page = await openConsole(userId, { path: "/nowhere" });
    await page.getByRole("heading", { name: "Page not found" }).waitFor();
    await page.goto("/#/webhooks");
    await page.getByRole("heading", { name: "Page not found" }).waitFor();
    await page.goto("/#/wallets/bob");
    await page.getByText("You are not allowed to do this.").first().waitFor();
  });

  test("a webhook endpoint is created, tested, given a new secret, disabled and deleted", async () => {
    const received = Promise.withResolvers<string>();
    const server = createServer(async (request, response) => {
      received.resolve(await text(request));
      response.end();
    });
    const url = `http://localhost:${await listenForTest(server)}/`;
    const page = await openConsole(operatorId, { path: "/webhooks", scope: ADMIN_SCOPE });
    await page.getByLabel("URL").fill(url);
    await page.getByLabel("Deposit").check();
    await page.getByRole("button", { name: "Create the endpoint" }).click();
    const secret = page.getByRole("region", { name: `The secret of ${url}` });
    const first = await secret.getByText("whsec_").textContent();

    const endpoint = page.getByRole("article", { name: url });
    await endpoint.getByRole("button", { name: "Send a test event" }).click();
    expect(JSON.parse(await received.promise)).toMatchObject({ type: "antler.test" });
    await endpoint.getByRole("button", { name: "New secret" }).click();
    await expect.poll(() => secret.getByText("whsec_").textContent()).not.toBe(first);
    await secret.getByRole("button", { name: "I have copied it" }).click();
    await endpoint.getByRole("button", { name: "Disable" }).click();
    await endpoint.getByText("Disabled", { exact: true }).waitFor();
    await endpoint.getByRole("button", { name: "Delete…" }).click();
    await endpoint.getByRole("button", { name: "Delete", exact: true }).click();
    await endpoint.waitFor({ state: "detached" });
  });

  test("the operator's page says whether the service is healthy", async () => {
    const page = await openConsole(operatorId, { scope: ADMIN_SCOPE });
    await page.getByText("The service is healthy").waitFor();
  });
});
