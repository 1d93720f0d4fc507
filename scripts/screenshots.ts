import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Browser, Page } from "playwright-core";
import { ADMIN_SCOPE } from "../lib/http/authenticate.ts";
import type { Wallet } from "../packages/client/src/index.ts";
import { launchChromium, signInWithToken } from "../testkit/chromium.ts";
import { clientOf, movement, once, tokenOf, walletOf } from "../testkit/client.ts";
import { startStack } from "../testkit/stack.ts";
import { command } from "./command.ts";

const USAGE = `Usage: npx node scripts/screenshots.ts

Makes the screenshots in docs/images: starts a stack of its own, tells it a story of alice, bob and a shop, and shows it in the
console. Needs Debian's package chromium-headless-shell.`;

const FOLDER = join(import.meta.dirname, "../docs/images");
/** So that the steps of the chart are apart. */
const PAUSE_MS = 300;

const WINDOW = { viewport: { width: 1080, height: 760 }, locale: "en-US" };

await command(
  { usage: USAGE },
  async () => {
    mkdirSync(FOLDER, { recursive: true });
    const browser = await launchChromium();
    const stack = await startStack();
    try {
      const { transferId } = await tellStory(stack.apiUrl);
      const open = (user: string, path: string, scope?: string) =>
        openConsole(browser, { apiUrl: stack.apiUrl, user, path, scope });
      await save(await open("alice", "/"), "wallet", "Transfer to bob");
      await save(await open("alice", `/wallets/alice/transactions/${transferId}`), "transaction", "Postings");
      await save(await open("alice", "/wallets/alice/statement?currency=USD"), "statement", "Closing balance");
      await save(await open("ops", "/", ADMIN_SCOPE), "operator", "The service is healthy");
    } finally {
      await browser.close();
      await stack.stop();
    }
  },
  import.meta.main,
);

/** Alice has a salary, pays her rent to bob, and a bicycle to a shop, which gives a part of the price back. */
async function tellStory(apiUrl: string) {
  const [alice, bob, shop] = [walletOf(apiUrl, "alice"), walletOf(apiUrl, "bob"), walletOf(apiUrl, "shop")];
  const usd = (amount: string, reference: string) => ({ ...movement("USD", amount), reference });
  await bob.deposit(usd("120.00", "opening"));
  await shop.deposit(usd("50.00", "opening"));
  await alice.deposit(usd("3200.00", "salary November"));
  await setTimeout(PAUSE_MS);
  await alice.deposit({ ...usd("500.00", "travel money"), currency: "EUR" });
  const { id: transferId } = await alice.transfer({ ...usd("850.00", "rent December"), to: "bob" });
  await setTimeout(PAUSE_MS);
  const hold = await alice.hold({ ...usd("640.00", "bicycle"), to: "shop" });
  const promised = clientOf(apiUrl, "shop").wallet("alice");
  await promised.capture(hold.id, { amount: "615.00", reference: "bicycle, without bell", ...once() });
  await setTimeout(PAUSE_MS);
  await refundNewestCredit(shop, "40.00");
  await setTimeout(PAUSE_MS);
  await alice.withdraw(usd("60.00", "cash"));
  await alice.withdraw(usd("9000.00", "car"));
  await alice.hold(usd("75.00", "hotel"));
  return { transferId };
}

async function refundNewestCredit(wallet: Wallet, amount: string): Promise<void> {
  const { data } = await wallet.transactions({ type: "credit", limit: 1 }).page();
  await wallet.reverse(data[0]?.id ?? "", { amount, reference: "discount", ...once() });
}

interface Visit {
  readonly apiUrl: string;
  readonly user: string;
  readonly path: string;
  readonly scope: string | undefined;
}

async function openConsole(browser: Browser, { apiUrl, user, path, scope }: Visit): Promise<Page> {
  const page = await browser.newPage({ baseURL: apiUrl, ...WINDOW });
  await page.goto(`/#${path}`);
  await signInWithToken(page, await tokenOf(user, scope));
  return page;
}

/** @param shown a text of the page once it has everything */
async function save(page: Page, name: string, shown: string): Promise<void> {
  await page.getByText(shown).first().waitFor();
  await page.screenshot({ path: join(FOLDER, `${name}.webp`), type: "webp", quality: 85 });
  await page.close();
}
