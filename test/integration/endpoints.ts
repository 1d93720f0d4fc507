import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { dynamoEndpoints as endpoints } from "../../lib/aws/endpoints.ts";
import { TransientError } from "../../lib/ledger/ports.ts";
import { systemClock as clock } from "../../lib/runtime/clock.ts";
import { ENDPOINTS_MAX, type Endpoint, newEndpoint, rotateSecret } from "../../lib/webhooks/endpoint.ts";
import { type DynamoEngine, type Engines, startEngines } from "../../testkit/engines.ts";

/** The same tests on every engine, in a file each, because an SDK client keeps its first endpoint. */
export function describeEndpointsOn(engine: DynamoEngine): void {
  let engines: Engines;
  beforeAll(async () => {
    engines = await startEngines(engine);
  });
  beforeEach(async () => {
    for (const { id } of await endpoints.list()) await endpoints.remove(id);
  });
  afterAll(() => engines.stop());

  async function created(attributes: Partial<Endpoint> = {}): Promise<Endpoint> {
    const { endpoint } = newEndpoint({ url: "https://example.com/", ...attributes }, clock);
    expect(await endpoints.create(endpoint)).toBe(true);
    return endpoint;
  }

  describe(`the webhook endpoints on ${engine}`, () => {
    test("are found and listed as they were created, the oldest first", async () => {
      const first = await created({ types: ["deposit", "hold"], description: "the shop" });
      const second = await created();
      expect(await endpoints.find(first.id)).toEqual(first);
      expect(await endpoints.find("wh_unknown")).toBeUndefined();
      const ids = (await endpoints.list()).map(({ id }) => id);
      expect(new Set(ids)).toEqual(new Set([first.id, second.id]));
      if (first.createdAt < second.createdAt) expect(ids).toEqual([first.id, second.id]);
    });

    test("are at most 20, also when they are created at the same time, and one can follow a deleted one", async () => {
      const attempts = Array.from({ length: ENDPOINTS_MAX + 5 }, async () => {
        const { endpoint } = newEndpoint({ url: "https://example.com/" }, clock);
        // Transactions that meet in the counter are throttled, as for clients.
        for (;;) {
          try {
            return await endpoints.create(endpoint);
          } catch (error) {
            if (!(error instanceof TransientError)) throw error;
          }
        }
      });
      const results = await Promise.all(attempts);
      expect(results.filter(Boolean)).toHaveLength(ENDPOINTS_MAX);
      const [some] = await endpoints.list();
      expect(await endpoints.list()).toHaveLength(ENDPOINTS_MAX);
      expect(await endpoints.remove(some?.id ?? "")).toBe(true);
      expect(await endpoints.remove(some?.id ?? "")).toBe(false);
      expect(await endpoints.remove("wh_unknown")).toBe(false);
      await created();
      expect(await endpoints.create(newEndpoint({ url: "https://example.com/" }, clock).endpoint)).toBe(false);
    });

    test("keep what a change does not name, so that concurrent changes do not lose one another", async () => {
      const { id } = await created({ types: ["deposit"], description: "before" });
      await Promise.all([
        endpoints.update(id, { url: "https://new.example.com/" }),
        endpoints.update(id, { types: null }),
        endpoints.update(id, { description: "after" }),
        endpoints.update(id, { lastSuccess: { at: "2026-11-23T09:30:00.000Z" } }),
        rotateSecret(id, { endpoints, clock }),
      ]);
      expect(await endpoints.find(id)).toEqual({
        id,
        url: "https://new.example.com/",
        description: "after",
        status: "enabled",
        createdAt: expect.any(String),
        secrets: [{ secret: expect.any(String) }, { secret: expect.any(String), expiresAt: expect.any(String) }],
        lastSuccess: { at: "2026-11-23T09:30:00.000Z" },
      });
    });

    test("change only if they are as the condition says, and a deleted one does not come back", async () => {
      const { id, url, secrets } = await created();
      const change = { status: "disabled", disabledReason: "HTTP 410" } as const;
      expect(await endpoints.update(id, change, { url: "https://other.example.com/" })).toBeUndefined();
      expect(await endpoints.find(id)).toMatchObject({ status: "enabled" });
      expect(await endpoints.update(id, change, { url, status: "enabled", secrets })).toMatchObject(change);
      expect(await endpoints.update(id, { status: "enabled", disabledReason: null })).not.toHaveProperty(
        "disabledReason",
      );
      expect(await endpoints.update(id, {})).toMatchObject({ id, url });
      await endpoints.remove(id);
      expect(await endpoints.update(id, { description: "late" })).toBeUndefined();
      expect(await endpoints.find(id)).toBeUndefined();
    });

    test("have the secret of one of two rotations at the same time; the other is refused", async () => {
      const { id, secrets } = await created();
      const results = await Promise.allSettled([1, 2].map(() => rotateSecret(id, { endpoints, clock })));
      const values = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
      const stored = (await endpoints.find(id))?.secrets.map(({ secret }) => secret);
      // One after the other, both succeed.
      const before = values.length === 1 ? secrets[0]?.secret : expect.toBeOneOf(values);
      expect(stored).toEqual([expect.toBeOneOf(values), before]);
      expect(await rotateSecret("wh_unknown", { endpoints, clock })).toBeUndefined();
    });
  });
}
