import { execFile } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import type { Transaction } from "../../packages/client/src/index.ts";
import { ANTLER, antler, type Finished } from "../../testkit/antler.ts";
import { newUser, tokenOf } from "../../testkit/client.ts";
import { CLIENT_ID, oidcProviderForTest } from "../../testkit/oidcProvider.ts";
import { folderForTest } from "../../testkit/perTest.ts";
import { freePorts } from "../../testkit/ports.ts";
import { collect, launch } from "../../testkit/stack.ts";

/** `antler` as a process, on the shared stack. */

const apiUrl = inject("apiUrl");
const stackEnvironment = inject("stackEnvironment");

/** Runs commands as one user after the other, without a file of credentials. */
async function userOf(name: string, scope?: string) {
  const user = newUser(name);
  const ANTLER_TOKEN = await tokenOf(user, scope);
  const environment = { ANTLER_TOKEN, ANTLER_API_URL: apiUrl, XDG_CONFIG_HOME: "/nowhere", NO_COLOR: "1" };
  return {
    user,
    run: (...args: string[]) => antler(args, environment),
    /** Runs a command that must succeed. @returns the values that it prints as JSON */
    async json(...args: string[]): Promise<Transaction[]> {
      const { code, stdout, stderr } = await antler([...args, "--json"], environment);
      expect({ code, stderr }).toEqual({ code: 0, stderr: expect.any(String) });
      return stdout
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line));
    },
  };
}

const idIn = ({ stdout }: Finished) => /tx_[\w-]{43}/.exec(stdout)?.[0] ?? "";

describe("antler login", () => {
  const environmentIn = (XDG_CONFIG_HOME: string) => ({ XDG_CONFIG_HOME, ANTLER_API_URL: apiUrl, ANTLER_TOKEN: "" });

  test("keeps a token in a file that only the user can read, and logout removes it", async () => {
    const environment = environmentIn(folderForTest());
    const alice = newUser("alice");
    const loggedIn = await antler(["login", "--as", alice], environment);
    expect(loggedIn).toEqual({ code: 0, stdout: "", stderr: `Logged in to ${apiUrl} as ${alice}\n` });
    const file = join(environment.XDG_CONFIG_HOME, "antler/credentials.json");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ [apiUrl]: { token: expect.stringMatching(/^ey/) } });
    expect(await antler(["balances"], environment)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("| USD "),
    });

    expect(await antler(["logout"], environment)).toMatchObject({ code: 0, stderr: `Logged out of ${apiUrl}\n` });
    expect(await antler(["balances"], environment)).toEqual({
      code: 1,
      stdout: "",
      stderr: `Not logged in to ${apiUrl}. Run antler login, or set ANTLER_TOKEN\n`,
    });
  });

  test("takes a token from stdin, names its API by a stage, and keeps nothing that the API refuses", async () => {
    const environment = environmentIn(folderForTest());
    const token = await tokenOf(newUser("alice"));
    const prod = ["login", "--stage", "prod", "--api-url", apiUrl, "--token", "-"];
    const forged = `${token.slice(0, -8)}AAAAAAAA`;
    expect(await antler(prod, environment, { stdin: forged })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("unauthorized"),
    });
    const unknown = await antler(["balances", "--stage", "prod"], environment);
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining("Run antler login --stage prod") });
    expect(await antler(prod, environment, { stdin: `${token}\n` })).toMatchObject({ code: 0 });
    expect(await antler(["balances", "--stage", "prod"], environment)).toMatchObject({ code: 0 });
  });

  test("signs in at an OpenID provider, and renews the token", async () => {
    const environment = environmentIn(folderForTest());
    const alice = newUser("alice");
    const { issuer, grants } = await oidcProviderForTest({
      token: await tokenOf(alice),
      pendingPolls: 1,
      expiresInSeconds: 10,
    });
    const loggedIn = await antler(["login", "--issuer", issuer, "--client-id", CLIENT_ID], environment);
    expect(loggedIn).toMatchObject({ code: 0, stderr: expect.stringContaining("enter the code WDJB-MJHT\nLogged in") });
    expect(await antler(["balances"], environment)).toMatchObject({ code: 0 });
    expect(grants.at(-1)).toBe("refresh_token");
  });
});

describe("the commands that move money", () => {
  test("print the transaction, and the key with which a repetition moves nothing", async () => {
    const alice = await userOf("alice");
    const first = await alice.run("deposit", "100.00", "USD", "--reference", "salary", "--metadata", "month=11");
    const [, key = ""] = /^Idempotency key: (\S+)$/m.exec(first.stderr) ?? [];
    expect(first).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/\| deposit +\| posted +\| 100\.00 USD \| 100\.00 USD \|/),
    });
    const again = await alice.run(
      "deposit",
      "100.00",
      "USD",
      "--reference",
      "salary",
      "--metadata",
      "month=11",
      "--key",
      key,
    );
    expect(again).toMatchObject({
      code: 0,
      stdout: first.stdout,
      stderr: expect.stringContaining("The key was used before"),
    });
    expect(await alice.json("history")).toMatchObject([{ reference: "salary", metadata: { month: "11" } }]);

    expect(await alice.run("withdraw", "100.01", "USD")).toMatchObject({
      code: 3,
      stdout: expect.stringContaining("insufficient_funds"),
      stderr: expect.stringMatching(/Rejected: .+ \(insufficient_funds\)\n$/),
    });
    expect(await alice.run("withdraw", "0.01", "USD", "--wait", "0", "--key", "later")).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("Repeat the command with --key 'later' to see the outcome"),
    });
    expect(await alice.run("withdraw", "0.02", "USD", "--key", "later")).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringContaining("idempotency_key_reused"),
    });
    expect(await alice.run("transfer", "no-such-user", "1.00", "USD")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("unknown_receiver"),
    });
  });

  test("transfer and refund, hold, capture and release, exchange", async () => {
    const [alice, bob, ops] = await Promise.all([userOf("alice"), userOf("bob"), userOf("ops", "wallets:admin")]);
    await Promise.all([alice.run("deposit", "100.00", "USD"), bob.run("deposit", "1.00", "USD")]);
    const [sent] = await alice.json("transfer", bob.user, "30.00", "USD");
    expect(sent).toMatchObject({
      type: "transfer",
      status: "posted",
      transfer: { status: "credited" },
      replayed: false,
    });
    const [credit] = await bob.json("history", "--type", "credit");
    expect(await bob.json("refund", credit?.id ?? "", "--amount", "10.00")).toMatchObject([{ amount: "10.00" }]);

    const held = idIn(await alice.run("hold", "20.00", "USD", "--to", bob.user));
    expect(await alice.json("holds")).toMatchObject([{ id: held, hold: { remaining: "20.00" } }]);
    expect(await bob.json("capture", held, "--user", alice.user, "--amount", "5.00", "--keep-rest")).toMatchObject([
      { amount: "5.00", status: "posted" },
    ]);
    expect(await bob.json("release", held, "--user", alice.user)).toMatchObject([{ amount: "15.00" }]);
    expect((await alice.run("holds")).stderr).toBe("No open holds\n");

    const exchanged = await ops.json("exchange", "10.00", "USD", "9.00", "EUR", "--user", alice.user);
    expect(exchanged).toMatchObject([{ actor: "admin", buy: { amount: "9.00" } }]);
    const { stdout } = await alice.run("balances");
    expect(stdout).toMatch(/\| USD +\| 65\.00 +\| 0\.00 +\| 65\.00 +\|/);
    expect(stdout).toMatch(/\| EUR +\| 9\.00 /);
  });

  test("--dry-run prints the request, and sends nothing", async () => {
    const alice = await userOf("alice");
    const { code, stdout } = await alice.run("transfer", "bob", "1.00", "USD", "--key", "gift-1", "--dry-run");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      method: "POST",
      url: `${apiUrl}/v1/users/${alice.user}/transfers`,
      headers: { "content-type": "application/json", "idempotency-key": "gift-1", prefer: "wait=10" },
      body: { to: "bob", currency: "USD", amount: "1.00" },
    });
    expect((await alice.run("history")).stderr).toBe("No transactions\n");
  });
});

describe("the commands that read", () => {
  test("print a history that verify-history accepts, and refuses when it was changed", async () => {
    const alice = await userOf("alice");
    await alice.run("deposit", "5.00", "USD");
    await alice.run("withdraw", "6.00", "USD");
    const file = join(folderForTest(), "history.jsonl");
    const { stdout: history } = await alice.run("history", "--all", "--json");
    writeFileSync(file, history);
    const head = JSON.parse(history.split("\n")[0] ?? "").hash;
    expect(await antler(["verify-history", file, "--head", head], {})).toEqual({
      code: 0,
      stdout: `OK: 2 decisions, head ${head}\n`,
      stderr: "",
    });
    const changed = history.replaceAll("6.00", "6.01");
    expect(await antler(["verify-history", "-", "--json"], {}, { stdin: changed })).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("HASH_MISMATCH"),
    });
    expect((await alice.run("history", "--limit", "1")).stdout.match(/tx_/g)).toHaveLength(1);
  });

  test("print decisions as they are made, also several at once, and those that match", async () => {
    const alice = await userOf("alice");
    await alice.run("deposit", "9.00", "USD");
    const environment = { ANTLER_TOKEN: await tokenOf(alice.user), ANTLER_API_URL: apiUrl, NO_COLOR: "1" };
    const follow = async (...args: string[]) => {
      const child = launch(environment, [process.execPath, ANTLER, "history", "--follow", ...args]);
      onTestFinished(() => void child.kill("SIGKILL"));
      const output = collect(child);
      await expect.poll(output).toContain("Ctrl-C ends.\n");
      return {
        lines: () => output().trim().split("\n").slice(1),
        async interrupt() {
          child.kill("SIGINT");
          return once(child, "exit");
        },
      };
    };
    const [all, rejected] = await Promise.all([
      follow(),
      follow("--status", "rejected", "--currency", "USD", "--json"),
    ]);
    const movements = [
      ["deposit", "3.00"],
      ["withdraw", "99.00"],
      ["withdraw", "1.00"],
    ] as const;
    for (const [name, amount] of movements) await alice.run(name, amount, "USD", "--wait", "0");
    await expect
      .poll(all.lines)
      .toEqual([
        expect.stringMatching(/ {2}deposit {2}posted {2}3\.00 USD {2}12\.00 USD {2}tx_\S+$/),
        expect.stringMatching(/ {2}withdrawal {2}insufficient_funds {2}99\.00 USD {2}tx_\S+$/),
        expect.stringMatching(/ {2}withdrawal {2}posted {2}-1\.00 USD {2}11\.00 USD {2}tx_\S+$/),
      ]);
    await expect.poll(rejected.lines).toHaveLength(1);
    expect(JSON.parse(rejected.lines()[0] ?? "")).toMatchObject({ amount: "99.00", sequence: 3 });
    expect(await all.interrupt()).toEqual([null, "SIGINT"]);
  });

  test("print a statement as a table, as JSON and as CSV, and the currencies without a login", async () => {
    const alice = await userOf("alice");
    await alice.run("deposit", "5.00", "USD", "--reference", "a\u202eb");
    const statement = (...args: string[]) => alice.run("statement", "--currency", "USD", ...args);
    const { stdout } = await statement();
    expect(stdout).toMatch(/\| deposit \| 5\.00 +\| +\| 5\.00 +\| a\\u\{202e\}b \|\nOpening 0\.00, closing 5\.00\n$/);
    expect(JSON.parse((await statement("--json")).stdout)).toMatchObject({ credit: "5.00", reference: "a\u202eb" });
    expect((await statement("--json")).stdout).toMatch(/^[ -~\n]+$/);
    expect((await statement("--csv")).stdout).toMatch(/^decidedAt,.*\r\n.*,5\.00,,5\.00\r\n$/);
    const past = await alice.run("balances", "--at", "2020-01-01T00:00:00Z", "--json");
    expect(JSON.parse(past.stdout)).toMatchObject({ sequence: 0 });
    const currencies = await antler(["currencies"], { ANTLER_API_URL: apiUrl, ANTLER_TOKEN: "" });
    expect(currencies).toMatchObject({ code: 0, stdout: expect.stringMatching(/\| USD +\| US dollar +\| 2 /) });
  });
});

test("antler batch writes the outcome of each row, and a second run completes what is missing", async () => {
  const folder = folderForTest();
  const [alice, bob] = [newUser("alice"), newUser("bob")];
  const ops = await userOf("ops", "wallets:admin");
  const file = join(folder, "payouts.csv");
  writeFileSync(
    file,
    [
      "type,userId,currency,amount,to,buyCurrency,buyAmount,metadata.month",
      `deposit,${alice},USD,50.00,,,,11`,
      `deposit,${bob},USD,1.00,,,,`,
      `exchange,${alice},USD,10.00,,EUR,9.00,`,
      `withdrawal,${bob},USD,2.00,,,,`,
      `transfer,${alice},USD,1.00,${newUser("nobody")},,,`,
    ].join("\n"),
  );
  const results = `${file}.results.csv`;
  const outcomes = () =>
    readFileSync(results, "utf8")
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => line.split(",")[2]);

  const planned = await ops.run("batch", file, "--dry-run");
  expect(JSON.parse(planned.stdout).body.commands).toHaveLength(5);
  const first = await ops.run("batch", file);
  expect(first).toMatchObject({
    code: 1,
    stdout: `3 posted, 1 rejected, 0 returned, 0 pending, 1 refused. Results: ${results}\n`,
  });
  expect(outcomes()).toEqual(["posted", "posted", "posted", "rejected", "refused"]);

  // As after a crash: rows are missing, and the last line is not complete.
  const lines = readFileSync(results, "utf8").split("\n");
  writeFileSync(results, `${lines.slice(0, 3).join("\n")}\n`);
  appendFileSync(results, "3,csv-");
  expect((await ops.run("batch", file)).stdout).toBe(first.stdout);
  expect(outcomes()).toEqual(["posted", "posted", "posted", "rejected", "refused"]);
  const [balances] = await ops.json("balances", "--user", alice);
  expect(balances).toMatchObject({ sequence: 2 });

  appendFileSync(file, `\ndeposit,${alice},USD,1.00,,,,`);
  expect(await ops.run("batch", file)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("row 1 had another key"),
  });
  writeFileSync(file, `type,userId,currency,amount\ndeposit,${alice},USD,ten`);
  expect(await ops.run("batch", file)).toMatchObject({
    code: 1,
    stderr: `${file}, row 1: amount: must be a decimal number such as 12.34\n`,
  });
});

test.runIf(process.platform === "linux")(
  "a terminal shows the progress of a batch, and no text that controls it",
  async () => {
    const folder = folderForTest();
    const [alice, ops] = [newUser("alice"), await tokenOf("ops", "wallets:admin")];
    writeFileSync(join(folder, "one.csv"), `type,userId,currency,amount,reference\ndeposit,${alice},USD,1.00,a\u202eb`);
    /** Runs a command in a terminal of its own. @returns what the terminal got */
    const inTerminal = async (line: string) => {
      const env = { ...process.env, ANTLER_TOKEN: ops, ANTLER_API_URL: apiUrl };
      const program = `'${process.execPath}' '${ANTLER}' ${line}`;
      return (await promisify(execFile)("script", ["-qec", program, "/dev/null"], { cwd: folder, env })).stdout;
    };
    expect(await inTerminal("batch one.csv")).toContain(`\r[${"#".repeat(30)}] 1 of 1`);
    const csv = await inTerminal(`statement --user ${alice} --currency USD --csv`);
    expect(csv).toContain("a\\u{202e}b");
    expect(csv).not.toContain("\u202e");
  },
);

describe("every command", () => {
  test.each([
    [["no-such-command"], "Unknown command 'no-such-command'"],
    [["depositt"], "Unknown command 'depositt' (Did you mean deposit?)"],
    [["deposit", "ten", "USD"], "AMOUNT 'ten': must be a decimal number such as 12.34"],
    [["login"], "One of --as, --token and --issuer is needed"],
    [["balances", "--user", "..", "--dry-run"], "An id must be a text other than . and .."],
    [["history", "--follow", "--all"], "--follow excludes --limit, --all, --from and --to"],
    [["dlq", "look"], "ACTION 'look': must be list, show or redrive"],
  ])("%j is called wrongly: exit code 2, and one sentence", async (args, sentence) => {
    const { code, stdout, stderr } = await antler(args, {});
    expect({ code, stdout, sentence: stderr.split("\n")[0] }).toEqual({ code: 2, stdout: "", sentence });
  });

  test("prints an API that does not answer in one line, and colors only when it may", async () => {
    const alice = await userOf("alice");
    const { unused } = await freePorts("unused");
    const { stderr } = await antler(["currencies"], { ANTLER_API_URL: `http://127.0.0.1:${unused}`, ANTLER_TOKEN: "" });
    expect(stderr).toMatch(/^The connection to the API failed \(connection_failed, .*ECONNREFUSED.*\)\n$/);
    const environment = { ANTLER_TOKEN: await tokenOf(alice.user), ANTLER_API_URL: apiUrl };
    const withdraw = ["withdraw", "1.00", "USD", "--key", "color"];
    const colored = await antler(withdraw, { ...environment, FORCE_COLOR: "1" });
    expect(colored.stderr).toContain("\x1b[31mRejected");
    expect((await alice.run(...withdraw)).stderr).not.toContain("\x1b");
  });

  test("can be completed by bash", async () => {
    const script = `
      antler() { "${process.execPath}" "${ANTLER}" "$@"; }
      source <(antler completion bash)
      complete_words() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _antler; echo "\${COMPREPLY[@]}"; }
      complete_words antler with
      complete_words antler statement --c
      complete_words antler dlq --`;
    const { stdout } = await promisify(execFile)("bash", ["-c", script]);
    expect(stdout.split("\n")).toEqual(["withdraw", "--currency --csv", "--user --stage --help", ""]);
  });
});

describe.runIf(Object.keys(stackEnvironment).length > 0)("the commands of operators", () => {
  test("are those of the npm scripts", async () => {
    const run = (...args: string[]) => antler(args, { ...stackEnvironment, ANTLER_API_URL: "" });
    expect(await run("dlq", "list")).toEqual({ code: 0, stdout: "Dead-letter messages: 0\n", stderr: "" });
    expect(await run("sweep")).toMatchObject({ code: 0, stdout: expect.stringContaining("Sent again:") });
    const { code, stderr } = await run("verify", "--no-such-option");
    expect({ code, usage: stderr.split("\n")[1] }).toEqual({
      code: 2,
      usage: "Usage: antler verify [--checkpoint FILE] [--stage STAGE]",
    });
  });

  test("print the status of a stage", async () => {
    const alice = await userOf("alice");
    await alice.run("deposit", "3.00", "BTC");
    await alice.run("hold", "2.00", "BTC");
    const run = (...args: string[]) => antler(["status", ...args], stackEnvironment);
    const { code, stdout } = await run("--json");
    expect({ code, status: JSON.parse(stdout) }).toMatchObject({
      code: 0,
      status: { stage: "local", health: "ok", deadLetters: 0, openHolds: { amounts: { BTC: expect.any(String) } } },
    });
    expect((await run()).stdout).toMatch(
      /^stage +local\nhealth +ok\ncommands queue +\d+ messages\noldest message +\d+ s\n/,
    );
  });
});
