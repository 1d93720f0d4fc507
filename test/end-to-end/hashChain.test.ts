import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import { clientOf, movement, newUser, once, posted } from "../../testkit/client.ts";
import { folderForTest } from "../../testkit/perTest.ts";

const ROOT = join(import.meta.dirname, "../..");
const page = readFileSync(join(ROOT, "docs/reference/hash-chain.md"), "utf8");
const [exportHistory = "", verifyHistory = ""] = [...page.matchAll(/^ +```bash\n(.*?)^ +```$/gms)].map(
  ([, commands]) => commands,
);

test("a history exported and verified as the documentation says is right, and wrong once a field is changed", async () => {
  const [alice, shop] = [newUser("alice"), newUser("shop")];
  const [client, shopClient] = [clientOf(inject("apiUrl"), alice), clientOf(inject("apiUrl"), shop)];
  const [wallet, shopWallet] = [client.wallet(alice), shopClient.wallet(shop)];
  const usd = (amount: string) => movement("USD", amount);
  await posted(wallet.deposit({ ...usd("100.00"), reference: "Käse", metadata: { order: "A-1" } }));
  expect(await wallet.withdraw(usd("100.01"))).toMatchObject({ status: "rejected" });
  await posted(wallet.deposit(movement("JPY", "500")));
  await posted(wallet.withdraw(usd("30.50")));
  await posted(shopWallet.deposit(usd("1.00")));
  const held = await posted(wallet.hold({ ...usd("50.00"), to: shop }));
  await posted(shopClient.wallet(alice).capture(held.id, { amount: "30.00", ...once() }));
  const [received] = await Array.fromAsync(shopWallet.transactions({ type: "credit" }));
  await posted(shopWallet.reverse(received?.id ?? "", { amount: "10.00", ...once() }));
  const unused = await posted(wallet.hold(usd("5.00")));
  await posted(wallet.release(unused.id, once()));
  await posted(wallet.transfer({ ...usd("49.50"), to: shop }));

  const file = join(folderForTest(), "history.jsonl");
  function run(commands: string) {
    const script = commands
      .replaceAll("http://localhost:4000", inject("apiUrl"))
      .replaceAll("alice", alice)
      .replaceAll("history.jsonl", file)
      .replaceAll("limit=100", "limit=2");
    const { status, stdout, stderr } = spawnSync("bash", ["-c", script], { cwd: ROOT, encoding: "utf8" });
    return { status, stdout, stderr };
  }

  expect(run(exportHistory)).toEqual({ status: 0, stdout: "", stderr: "" });
  const exported = readFileSync(file, "utf8");
  expect(exported.trimEnd().split("\n")).toHaveLength(5);
  const { hash } = await wallet.balances();
  expect(run(verifyHistory)).toEqual({ status: 0, stdout: `OK: 10 decisions, head ${hash}\n`, stderr: "" });

  writeFileSync(file, exported.replace('"amount":"100.01"', '"amount":"100.02"'));
  const message = "HASH_MISMATCH at sequence 2: the hash is not that of the content";
  expect(run(verifyHistory)).toEqual({ status: 1, stdout: "", stderr: `${message}\n` });
  expect(page).toContain(message);
});
