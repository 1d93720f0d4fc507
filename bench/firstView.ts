import { command, wholeNumber } from "../scripts/command.ts";
import { median } from "../scripts/statistics.ts";
import { table } from "../scripts/table.ts";
import { launchChromium, signInWithToken } from "../testkit/chromium.ts";
import { tokenOf } from "../testkit/client.ts";
import { startStack } from "../testkit/stack.ts";

const USAGE = `Usage: npx node bench/firstView.ts [--runs N] [--slowdown N]

Measures after how many milliseconds the console can be used, N times (5), each with an empty cache and on a processor that is N
times (4) slower: the first view with its sign-in, and the wallet of a user who is signed in. Needs Debian's package
chromium-headless-shell.`;

const definition = {
  usage: USAGE,
  options: { runs: wholeNumber(1).default(5), slowdown: wholeNumber(1).default(4) },
};

await command(
  definition,
  async ({ runs, slowdown }) => {
    const token = await tokenOf("alice");
    const browser = await launchChromium();
    const stack = await startStack();
    const views: { readonly "first view ms": number; readonly "wallet ms": number }[] = [];
    try {
      for (let run = 0; run <= runs; run++) views.push(await view());
    } finally {
      await browser.close();
      await stack.stop();
    }
    // The first run warms up the stack and the browser.
    const measured = views.slice(1);
    const rows = (["first view ms", "wallet ms"] as const).map((name) => {
      const samples = measured.map((each) => each[name]);
      return { what: name, median: median(samples), least: Math.min(...samples), most: Math.max(...samples) };
    });
    console.log(table(rows));

    async function view() {
      const page = await browser.newPage({ baseURL: stack.apiUrl });
      const session = await page.context().newCDPSession(page);
      await session.send("Emulation.setCPUThrottlingRate", { rate: slowdown });
      const startMs = performance.now();
      await page.goto("/", { waitUntil: "commit" });
      await page.getByRole("button", { name: "Sign in", exact: true }).click({ trial: true });
      const firstViewMs = performance.now() - startMs;
      await signInWithToken(page, token);
      const reloadMs = performance.now();
      await page.reload({ waitUntil: "commit" });
      await page.getByRole("link", { name: "Make a deposit" }).click({ trial: true });
      const walletMs = performance.now() - reloadMs;
      await page.close();
      return { "first view ms": Math.round(firstViewMs), "wallet ms": Math.round(walletMs) };
    }
  },
  import.meta.main,
);
