import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { createClient } from "../../packages/client/src/index.ts";
import { fakeFetch, jsonAnswer } from "../../testkit/fakeFetch.ts";

/** The client package as a whole: every call of the API, and what it needs in a browser. */
const ENTRY = new URL("../../packages/client/src/index.ts", import.meta.url);
const GZIPPED_BYTES_MAX = 6144;

const documentSchema = z.looseObject({
  paths: z.record(z.string(), z.record(z.string(), z.looseObject({ operationId: z.string() }))),
});
const openApi = readFileSync(new URL("../../docs/reference/openapi.json", import.meta.url), "utf8");
const operations = Object.entries(documentSchema.parse(JSON.parse(openApi)).paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, { operationId }]) => ({ operationId, route: `${method.toUpperCase()} ${path}` })),
);

/** About the API itself, for people and generators. */
const DOCUMENTS = ["openapi", "docs"];

const { fetch, requests } = fakeFetch(jsonAnswer(200, { data: [], results: [], lines: [], nextCursor: null }));
const client = createClient({ apiUrl: "https://api.test", fetch });
const wallet = client.wallet("{userId}");
const key = { idempotencyKey: "key" };
const usd = { currency: "USD", amount: "1.00" };

/** A call of each operation. */
const CALLS: Readonly<Record<string, () => Promise<unknown>>> = {
  deposit: () => wallet.deposit({ ...usd, ...key }),
  withdraw: () => wallet.withdraw({ ...usd, ...key }),
  transfer: () => wallet.transfer({ ...usd, ...key, to: "bob" }),
  hold: () => wallet.hold({ ...usd, ...key }),
  capture: () => wallet.capture("{id}", key),
  release: () => wallet.release("{id}", key),
  exchange: () => wallet.exchange({ sell: usd, buy: usd, ...key }),
  reverse: () => wallet.reverse("{id}", key),
  changeStatus: () => wallet.changeStatus({ status: "frozen", ...key }),
  batch: () => client.batch([]),
  balances: () => wallet.balances(),
  statements: () => wallet.statement({ currency: "USD" }).page(),
  transactions: () => wallet.transactions().page(),
  holds: () => wallet.holds().page(),
  transaction: () => wallet.transaction("{id}"),
  createEndpoint: () => client.webhooks.create({ url: "https://example.com" }),
  endpoints: () => client.webhooks.list(),
  endpoint: () => client.webhooks.get("{id}"),
  changeEndpoint: () => client.webhooks.disable("{id}"),
  deleteEndpoint: () => client.webhooks.delete("{id}"),
  rotateSecret: () => client.webhooks.rotateSecret("{id}"),
  sendTestEvent: () => client.webhooks.sendTestEvent("{id}"),
  currencies: () => client.currencies(),
  health: () => client.health(),
};

describe("the client", () => {
  it("has a call for every operation of the API", () => {
    const operationIds = operations.map(({ operationId }) => operationId);
    expect([...Object.keys(CALLS), ...DOCUMENTS].sort()).toEqual(operationIds.sort());
  });

  it.each(Object.entries(CALLS))("calls the operation %s", async (operationId, call) => {
    await call();
    const { method, url } = requests.at(-1) ?? new Request("https://api.test");
    const route = `${method} ${decodeURIComponent(new URL(url).pathname)}`;
    expect(operations).toContainEqual({ operationId, route });
  });

  it("needs neither a dependency nor a module of Node, and at most 6 KB gzipped in a browser", async () => {
    const { outputFiles } = await build({
      entryPoints: [ENTRY.pathname],
      ...{ bundle: true, minify: true, write: false },
      ...{ format: "esm", target: "es2022", platform: "browser" },
    });
    const [{ contents = new Uint8Array() } = {}] = outputFiles;
    expect(gzipSync(contents, { level: 9 }).byteLength).toBeLessThanOrEqual(GZIPPED_BYTES_MAX);
    expect(new TextDecoder().decode(contents)).not.toMatch(/\b(import|require)\b/);
  });
});
