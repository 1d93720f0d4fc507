import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import { Client, newUser, problemIn, transactionIn } from "../../testkit/client.ts";
import { folderForTest } from "../../testkit/perTest.ts";

const ROOT = join(import.meta.dirname, "../..");
const page = readFileSync(join(ROOT, "docs/reference/hash-chain.md"), "utf8");
const [exportHistory = "", verifyHistory = ""] = [...page.matchAll(/^ +```bash\n(.*?)^ +```$/gms)].map(
  ([, commands]) => commands,
);

/** A user's movement in another user's wallet, or in their own. */
async function post(client: Client, path: string, body: object): Promise<string> {
  const headers = { "content-type": "application/json", "idempotency-key": randomUUID(), prefer: "wait=10" };
  const { status, body: view } = await client.request("POST", `/v1/users/${path}`, JSON.stringify(body), headers);
  expect({ status, view }).toMatchObject({ status: 201 });
  return String(Object(view).id);
}

test("a history exported and verified as the documentation says is right, and wrong once a field is changed", async () => {
  const [alice, shop] = [new Client(inject("apiUrl"), newUser("alice")), new Client(inject("apiUrl"), newUser("shop"))];
  transactionIn(await alice.deposit("USD", "100.00", { wait: 10, reference: "Käse", metadata: { order: "A-1" } }), 201);
  problemIn(await alice.withdraw("USD", "100.01", { wait: 10 }), 422);
  transactionIn(await alice.deposit("JPY", "500", { wait: 10 }), 201);
  transactionIn(await alice.withdraw("USD", "30.50", { wait: 10 }), 201);
  transactionIn(await shop.deposit("USD", "1.00", { wait: 10 }), 201);
  const held = await post(alice, `${alice.user}/holds`, { currency: "USD", amount: "50.00", to: shop.user });
  await post(shop, `${alice.user}/holds/${held}/captures`, { amount: "30.00" });
  const { data: received } = await shop.history({ type: "credit" });
  await post(shop, `${shop.user}/transactions/${received[0]?.id}/reversals`, { amount: "10.00" });
  const unused = await post(alice, `${alice.user}/holds`, { currency: "USD", amount: "5.00" });
  await post(alice, `${alice.user}/holds/${unused}/releases`, {});
  await post(alice, `${alice.user}/transfers`, { to: shop.user, currency: "USD", amount: "49.50" });

  const file = join(folderForTest(), "history.jsonl");
  function run(commands: string) {
    const script = commands
      .replaceAll("http://localhost:4000", inject("apiUrl"))
      .replaceAll("alice", alice.user)
      .replaceAll("history.jsonl", file)
      .replaceAll("limit=100", "limit=2");
    const { status, stdout, stderr } = spawnSync("bash", ["-c", script], { cwd: ROOT, encoding: "utf8" });
    return { status, stdout, stderr };
  }

  expect(run(exportHistory)).toEqual({ status: 0, stdout: "", stderr: "" });
  const exported = readFileSync(file, "utf8");
  expect(exported.trimEnd().split("\n")).toHaveLength(5);
  const { hash } = await alice.balances();
  expect(run(verifyHistory)).toEqual({ status: 0, stdout: `OK: 10 decisions, head ${hash}\n`, stderr: "" });

  writeFileSync(file, exported.replace('"amount":"100.01"', '"amount":"100.02"'));
  const message = "HASH_MISMATCH at sequence 2: the hash is not that of the content";
  expect(run(verifyHistory)).toEqual({ status: 1, stdout: "", stderr: `${message}\n` });
  expect(page).toContain(message);
});
