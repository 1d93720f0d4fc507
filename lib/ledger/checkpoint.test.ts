import { beforeEach, describe, expect, it } from "vitest";
import { decideAt, ledgerReaderOf, timeAt } from "../../testkit/histories.ts";
import { type InMemoryPorts, inMemoryPorts } from "../../testkit/inMemoryPorts.ts";
import { MINOR_UNITS_MAX } from "../domain/money.ts";
import { emptyWallet } from "../domain/state.ts";
import { checkpointText, createCheckpoint, readCheckpoint } from "./checkpoint.ts";
import { merkleRoot } from "./merkle.ts";
import { UnreadableItem } from "./ports.ts";

let ports: InMemoryPorts;
beforeEach(() => {
  ports = inMemoryPorts();
  decideAt(
    ports,
    [1000, "+5 USD", "carol"],
    [1000, "+9 EUR", "alice"],
    [2000, "+1 USD", "alice"],
    [1000, "-1 USD", "Bob"],
  );
});

const create = () => createCheckpoint(ledgerReaderOf(ports), timeAt(3000));
const linesOf = async () => [...checkpointText(await create())];

/** Reads lines as a file's reader gives them, without their ends. */
function read(lines: readonly string[]) {
  return readCheckpoint(
    (async function* () {
      for (const line of lines) yield line.trimEnd();
    })(),
  );
}

describe("a checkpoint", () => {
  it("has each user's head by user id, the totals, and the root of the other lines", async () => {
    const all = await linesOf();
    const [first = "", ...lines] = all.slice(0, -1);
    const heads = ["Bob", "alice", "carol"].map((userId) => {
      const { sequence, hash } = ports.wallets.get(userId) ?? emptyWallet;
      return { userId, sequence, hash };
    });
    expect(heads.map(({ sequence }) => sequence)).toEqual([1, 2, 1]);
    expect(lines).toEqual(heads.map((head) => `${JSON.stringify(head)}\n`));
    expect(JSON.parse(first)).toEqual({
      version: 1,
      createdAt: timeAt(3000),
      wallets: 3,
      totalsMinor: { EUR: "9", USD: "6" },
    });
    const leaves = [first, ...lines].map((line) => Buffer.from(line.trimEnd()));
    expect(JSON.parse(all.at(-1) ?? "")).toEqual({ root: merkleRoot(leaves).toString("base64url") });
  });

  it("is read as it was written", async () => {
    expect(await read(await linesOf())).toEqual(await create());
  });

  it("of an empty ledger is read as it was written", async () => {
    ports = inMemoryPorts();
    expect(await read(await linesOf())).toEqual(await create());
  });

  it("is the same in whatever order the users are read", async () => {
    const written = await linesOf();
    const reversed = [...ports.wallets].reverse();
    ports.wallets.clear();
    for (const [userId, wallet] of reversed) ports.wallets.set(userId, wallet);
    expect(await linesOf()).toEqual(written);
  });

  it("has exact totals, with the money that is held", async () => {
    const whale = { ...emptyWallet, sequence: 1, available: new Map([["USD", MINOR_UNITS_MAX]]), hash: "whale" };
    ports.wallets.set("whale", whale).set("holder", { ...whale, available: new Map(), held: whale.available });
    const { totalsMinor } = await read(await linesOf());
    expect(totalsMinor.get("USD")).toBe(6n + 2n * MINOR_UNITS_MAX);
  });

  it("is not made of a ledger with an unreadable wallet", async () => {
    const item = new UnreadableItem("alice", "wallet", "it is damaged");
    async function* wallets() {
      yield item;
    }
    await expect(createCheckpoint({ wallets }, timeAt(3000))).rejects.toBe(item);
  });

  const root = "The root is not that of the other lines";
  const fieldsOf = (line: number) => `Line ${line} does not have the fields of a checkpoint of version 1`;
  it.each<[string, (lines: readonly string[]) => readonly string[], string]>([
    ["without lines", () => [], "The file has no lines"],
    ["without a line", (lines) => lines.toSpliced(2, 1), root],
    ["with a line more", (lines) => lines.toSpliced(1, 0, '{"userId":"aaron","sequence":1,"hash":"x"}'), root],
    ["with a line twice", (lines) => lines.toSpliced(1, 0, lines[1] ?? ""), root],
    ["with a line behind the root", (lines) => [...lines, '{"userId":"dave","sequence":1,"hash":"x"}'], fieldsOf(6)],
    ["with another total", (lines) => lines.map((line) => line.replace('"USD":"6"', '"USD":"7"')), root],
    ["with another time", (lines) => lines.map((line) => line.replace('createdAt":"2', 'createdAt":"3')), root],
    ["with two lines in another order", ([first = "", a = "", b = "", ...rest]) => [first, b, a, ...rest], root],
    ["with another sequence", (lines) => lines.map((line) => line.replace('"sequence":2', '"sequence":1')), root],
    ["with another hash", (lines) => lines.map((line) => line.replace(/"hash":"./, '"hash":".')), root],
    ["with another user", (lines) => lines.map((line) => line.replace("carol", "clara")), root],
    ["with another root", (lines) => lines.map((line) => line.replace(/"root":"./, '"root":".')), root],
    ["with another count", (lines) => lines.map((line) => line.replace('"wallets":3', '"wallets":2')), root],
    ["of another version", (lines) => lines.map((line) => line.replace('"version":1', '"version":2')), fieldsOf(1)],
    ["without its first line", (lines) => lines.slice(1), fieldsOf(1)],
    ["with a further field", (lines) => lines.map((line) => line.replace("}\n", ',"x":1}\n')), fieldsOf(1)],
    ["that is no JSON", () => ["hello", "hello"], "JSON"],
  ])("%s is an error", async (_what, change, message) => {
    await expect(read(change(await linesOf()))).rejects.toThrow(message);
  });
});
