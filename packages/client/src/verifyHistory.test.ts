import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { verifyHistory } from "./index.ts";

/** test/conventions/hashChain.test.ts has the tests that the stand-alone verifier passes too. */
const VECTORS = join(import.meta.dirname, "../../../docs/reference/hash-chain-vectors.json");
const { decisions }: { decisions: { transaction: Record<string, unknown> }[] } = JSON.parse(
  readFileSync(VECTORS, "utf8"),
);
const history = decisions.map(({ transaction }) => transaction);

/** What later transactions change, and what the hash chain does not cover. */
const UNCOVERED = /^(reference|metadata|reversed|rejection\.detail|transfer\.status|hold\.remaining|hold\.status)/;

/** The value with each of its members replaced in turn, with the path to the member. */
function* withEachReplaced(
  value: unknown,
  replacement: unknown,
  path = "",
): Generator<[path: string, edited: unknown]> {
  if (typeof value !== "object" || value === null) return;
  for (const [name, member] of Object.entries(value)) {
    const inner = path ? `${path}.${name}` : name;
    const edit = (edited: unknown) =>
      Array.isArray(value) ? value.with(Number(name), edited) : { ...value, [name]: edited };
    if (JSON.stringify(member) !== JSON.stringify(replacement)) yield [inner, edit(replacement)];
    for (const [deeper, edited] of withEachReplaced(member, replacement, inner)) yield [deeper, edit(edited)];
  }
}

describe("verifyHistory", () => {
  it("reads from an asynchronous list too", async () => {
    async function* newestFirst() {
      yield* history.toReversed();
    }
    const head = history.at(-1)?.hash;
    expect(await verifyHistory(newestFirst())).toEqual({ isValid: true, decisions: history.length, head });
  });

  it.each([null, 7, {}])(
    "finds every member that is %j instead, whatever it was",
    async (replacement) => {
      const firstOfType = history.filter(
        ({ type }, index) => history.findIndex((each) => each.type === type) === index,
      );
      let edits = 0;
      for (const transaction of firstOfType) {
        const before = history.slice(0, history.indexOf(transaction));
        for (const [path, edited] of withEachReplaced(transaction, replacement)) {
          const { isValid } = await verifyHistory([...before, edited]);
          // No transfer is no transfer, in either form.
          const isSame =
            UNCOVERED.test(path) || (transaction[path] === null && path === "transfer" && replacement !== 7);
          if (!isSame) expect({ path, type: transaction.type, isValid }).toMatchObject({ isValid: false });
          edits++;
        }
      }
      expect(edits).toBeGreaterThan(200);
    },
    20_000,
  );

  it.each([[null], [7], ["text"], [[]], [{}], [{ sequence: 1 }]])("says that %j is no decision", async (value) => {
    const detail = "not a decided transaction of the API";
    expect(await verifyHistory([value])).toEqual({ isValid: false, code: "UNREADABLE", sequence: 1, detail });
  });
});
