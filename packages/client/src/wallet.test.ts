import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fakeFetch, jsonAnswer, problemAnswer } from "../../../testkit/fakeFetch.ts";
import { createClient, type Wallet } from "./index.ts";

const USD = { currency: "USD", amount: "1.00" };

function walletWith(...answers: readonly (Response | Error)[]) {
  const { fetch, requests } = fakeFetch(...answers);
  return { wallet: createClient({ apiUrl: "https://api.test", fetch }).wallet("auth0|a b"), requests };
}

/** The path of each request, without that of the wallet, and its query. */
function pathsOf(requests: readonly Request[]): string[] {
  return requests.map(({ url }) => url.replace("https://api.test/v1/users/auth0%7Ca%20b/", ""));
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe("a command", () => {
  it("is sent with its members, its key and its wait", async () => {
    const { wallet, requests } = walletWith(jsonAnswer(201, { id: "tx_1", status: "posted" }));
    const details = { reference: "invoice 1", metadata: { order: "A-1" } };
    const deposit = await wallet.deposit({ ...USD, ...details, idempotencyKey: "order-1", wait: 5 });
    expect(deposit).toEqual({ id: "tx_1", status: "posted", replayed: false });
    const [request] = requests;
    expect(pathsOf(requests)).toEqual(["deposits"]);
    expect(await request?.json()).toEqual({ ...USD, ...details });
    expect(Object.fromEntries(request?.headers ?? [])).toEqual({
      "content-type": "application/json",
      "idempotency-key": "order-1",
      prefer: "wait=5",
    });
  });

  it("that is rejected is a value", async () => {
    const transaction = { id: "tx_1", status: "rejected", rejection: { code: "insufficient_funds", detail: "…" } };
    const headers = { "idempotency-replayed": "true" };
    const { wallet } = walletWith(problemAnswer(422, "insufficient_funds", { transaction, headers }));
    expect(await wallet.withdraw({ ...USD, idempotencyKey: "key", wait: 5 })).toEqual({
      ...transaction,
      replayed: true,
    });
  });

  it("that is not accepted is an error", async () => {
    const { wallet } = walletWith(problemAnswer(422, "unknown_receiver"));
    const sending = wallet.transfer({ ...USD, to: "bob", idempotencyKey: "key" });
    await expect(sending).rejects.toMatchObject({ name: "AntlerError", code: "unknown_receiver" });
  });

  it("whose transaction exists is replayed", async () => {
    const { wallet } = walletWith(jsonAnswer(202, { id: "tx_1" }, { "idempotency-replayed": "true" }));
    expect(await wallet.hold({ ...USD, idempotencyKey: "key" })).toEqual({ id: "tx_1", replayed: true });
  });

  it.each(["", "a,b", "é", " a", "a ", "x".repeat(256), undefined, 5])("is not sent with the key %j", async (key) => {
    const { wallet, requests } = walletWith(jsonAnswer(202, {}));
    const command = Object.assign({ ...USD, idempotencyKey: "" }, { idempotencyKey: key });
    await expect(wallet.deposit(command)).rejects.toMatchObject({ code: "invalid_argument" });
    expect(requests).toEqual([]);
  });

  it.each(["a", "a b", "!+-~", "x".repeat(255)])("is sent with the key %j", async (idempotencyKey) => {
    const { wallet, requests } = walletWith(jsonAnswer(202, {}));
    await wallet.deposit({ ...USD, idempotencyKey });
    expect(requests[0]?.headers.get("idempotency-key")).toBe(idempotencyKey);
  });

  it.each([-1, 0.5, 21, Number.NaN])("is not sent with a wait of %d", async (wait) => {
    const { wallet, requests } = walletWith(jsonAnswer(202, {}));
    const sending = wallet.deposit({ ...USD, idempotencyKey: "key", wait });
    await expect(sending).rejects.toMatchObject({ code: "invalid_argument" });
    expect(requests).toEqual([]);
  });
});

describe("a list", () => {
  const pages = () => [
    jsonAnswer(200, { data: [{ id: "tx_5" }, { id: "tx_4" }], nextCursor: "4" }),
    jsonAnswer(200, { data: [], nextCursor: "3" }),
    jsonAnswer(200, { data: [{ id: "tx_1" }], nextCursor: null }),
  ];

  it("reads all items, page by page", async () => {
    const { wallet, requests } = walletWith(...pages());
    const items = await all(wallet.transactions({ type: "deposit", currency: undefined, limit: 2 }));
    expect(items.map(({ id }) => id)).toEqual(["tx_5", "tx_4", "tx_1"]);
    expect(pathsOf(requests)).toEqual([
      "transactions?type=deposit&limit=2",
      "transactions?type=deposit&limit=2&cursor=4",
      "transactions?type=deposit&limit=2&cursor=3",
    ]);
  });

  it("reads no page before its items are asked for", async () => {
    const { wallet, requests } = walletWith(...pages());
    const transactions = wallet.transactions();
    expect(requests).toHaveLength(0);
    for await (const { id } of transactions) if (id === "tx_4") break;
    expect(requests).toHaveLength(1);
  });

  it("has its pages and their cursors", async () => {
    const { wallet } = walletWith(...pages());
    const cursors = (await all(wallet.holds().pages())).map(({ nextCursor }) => nextCursor);
    expect(cursors).toEqual(["4", "3", null]);
  });

  it("starts at a cursor", async () => {
    const { wallet, requests } = walletWith(...pages());
    expect(await wallet.holds({ cursor: "6", limit: 5 }).page()).toMatchObject({ nextCursor: "4" });
    await all(wallet.holds({ cursor: "4" }));
    expect(pathsOf(requests)).toEqual(["holds?cursor=6&limit=5", "holds?cursor=4", "holds?cursor=3"]);
  });

  it("of a statement has lines, and all its pages are of the period of the first", async () => {
    const { wallet, requests } = walletWith(
      jsonAnswer(200, { to: "2026-11-30T00:00:00.000Z", lines: [{ id: "tx_1" }], nextCursor: "1" }),
      jsonAnswer(200, { to: "2026-11-30T00:00:00.000Z", lines: [{ id: "tx_2" }], nextCursor: null }),
    );
    expect(await all(wallet.statement({ currency: "USD" }))).toEqual([{ id: "tx_1" }, { id: "tx_2" }]);
    expect(pathsOf(requests)).toEqual([
      "statements?currency=USD",
      "statements?currency=USD&to=2026-11-30T00%3A00%3A00.000Z&cursor=1",
    ]);
  });

  it("as CSV is one file, whose header comes once", async () => {
    const csv = (body: string, link?: string) =>
      new Response(body, {
        headers: { "content-type": "text/csv; charset=utf-8; header=present", ...(link && { link }) },
      });
    const { wallet, requests } = walletWith(
      csv("id,credit\r\ntx_1,1.00\r\n", '<?currency=USD&to=2026-11-30T00%3A00%3A00.000Z&cursor=1>; rel="next"'),
      csv("id,credit\r\ntx_2,2.00\r\n"),
    );
    const parts = await all(wallet.statementCsv({ currency: "USD" }));
    expect(parts.join("")).toBe("id,credit\r\ntx_1,1.00\r\ntx_2,2.00\r\n");
    expect(pathsOf(requests)).toEqual([
      "statements?currency=USD",
      "statements?currency=USD&to=2026-11-30T00%3A00%3A00.000Z&cursor=1",
    ]);
    expect(requests.map(({ headers }) => headers.get("accept"))).toEqual(["text/csv", "text/csv"]);
  });
});

describe("settled", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  async function settledOf(wallet: Wallet, timeoutSeconds?: number) {
    const settling = wallet.settled("tx_1", { timeoutSeconds });
    settling.catch(() => {});
    await vi.runAllTimersAsync();
    return settling;
  }

  it("waits for the decision, and until the money has arrived", async () => {
    const { wallet, requests } = walletWith(
      jsonAnswer(200, { status: "pending", transfer: { status: null } }),
      jsonAnswer(200, { status: "posted", transfer: { status: "in_transit" } }),
      jsonAnswer(200, { status: "posted", transfer: { status: "credited" } }),
    );
    expect(await settledOf(wallet)).toEqual({ status: "posted", transfer: { status: "credited" } });
    expect(pathsOf(requests)).toEqual(Array(3).fill("transactions/tx_1"));
  });

  it("returns a rejected transaction", async () => {
    const { wallet } = walletWith(jsonAnswer(200, { status: "rejected", transfer: null }));
    expect(await settledOf(wallet)).toMatchObject({ status: "rejected" });
  });

  it("ends after its time", async () => {
    const { wallet } = walletWith(jsonAnswer(200, { status: "pending" }));
    const startMs = Date.now();
    await expect(settledOf(wallet)).rejects.toMatchObject({ code: "timeout" });
    expect(Date.now() - startMs).toBeGreaterThan(57_000);
    expect(Date.now() - startMs).toBeLessThanOrEqual(60_000);
    await expect(settledOf(wallet, 0)).rejects.toMatchObject({ code: "timeout" });
  });

  it("ends when it is aborted", async () => {
    const { wallet } = walletWith(jsonAnswer(200, { status: "pending" }));
    const controller = new AbortController();
    const settling = wallet.settled("tx_1", { signal: controller.signal });
    await vi.advanceTimersByTimeAsync(50);
    controller.abort("Not needed");
    await expect(settling).rejects.toBe("Not needed");
  });
});
