import { Webhook } from "standardwebhooks";
import { beforeEach, describe, expect, it } from "vitest";
import { deliveryRecord, inMemoryWebhooks } from "../../testkit/webhooks.ts";
import { TransientError } from "../ledger/ports.ts";
import { ATTEMPTS_MAX, deliver } from "./deliver.ts";
import type { Endpoint } from "./endpoint.ts";
import { rotateSecret } from "./endpoint.ts";
import { PostError } from "./post.ts";

const BODY = '{"id":"alice/1"}';
const HOUR_MS = 3_600_000;

interface Posted {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

let webhooks: ReturnType<typeof inMemoryWebhooks>;
let endpoint: Endpoint;
let posted: Posted[];
/** What the receiver does. */
let answer: () => number | Promise<number>;

beforeEach(async () => {
  webhooks = inMemoryWebhooks();
  endpoint = await webhooks.newEndpoint();
  posted = [];
  answer = () => 204;
});

const delivery = () => ({ endpointId: endpoint.id, eventId: "alice/1", body: BODY });
const ports = () => ({
  ...webhooks.deliverPorts,
  async post(url: string, headers: Posted["headers"], body: string) {
    posted.push({ url, headers, body });
    return answer();
  },
});
const attempt = (number = 1) => deliver([deliveryRecord(delivery(), number)], ports());
const fail = (code: string) => () => Promise.reject(new PostError(code));

/** Whether a receiver with this secret accepts the last request. */
function isAccepted(secret: string): boolean {
  const { headers = {}, body = "" }: Partial<Posted> = posted.at(-1) ?? {};
  const signatures = headers["webhook-signature"]?.split(" ") ?? [];
  const sentAt = new Date(Number(headers["webhook-timestamp"]) * 1000);
  return signatures.includes(new Webhook(secret).sign(headers["webhook-id"] ?? "", sentAt, body));
}

describe("a delivery", () => {
  it("posts the event, signed, and is done", async () => {
    expect(await attempt()).toEqual([]);
    expect(posted).toEqual([
      {
        url: "https://example.com/hooks",
        body: BODY,
        headers: {
          "content-type": "application/json",
          "user-agent": "Antler",
          "webhook-id": expect.stringMatching(/^msg_[A-Za-z0-9_-]{43}$/),
          "webhook-timestamp": String(Date.parse("2026-11-23T09:30:00.000Z") / 1000),
          "webhook-signature": expect.stringMatching(/^v1,\S+$/),
        },
      },
    ]);
    expect(isAccepted(endpoint.secrets[0]?.secret ?? "")).toBe(true);
    expect(isAccepted(`whsec_${btoa("another secret")}`)).toBe(false);
    expect(webhooks.observed).toEqual([["delivered", delivery(), 1, 0]]);
  });

  it("has the same id at every attempt, a new time and signature, and another id for another endpoint or event", async () => {
    await attempt(1);
    webhooks.pass(1000);
    await attempt(2);
    const { id } = await webhooks.newEndpoint();
    await deliver([deliveryRecord({ ...delivery(), endpointId: id })], ports());
    await deliver([deliveryRecord({ ...delivery(), eventId: "alice/2" })], ports());
    const headers = (name: string) => posted.map((each) => each.headers[name]);
    const [first, ...others] = headers("webhook-id");
    expect(others).toEqual([first, expect.not.stringContaining(first ?? ""), expect.not.stringContaining(first ?? "")]);
    expect(new Set(headers("webhook-id")).size).toBe(3);
    expect(new Set(headers("webhook-timestamp").slice(0, 2)).size).toBe(2);
    expect(new Set(headers("webhook-signature")).size).toBe(4);
  });

  it("is signed with the secret of before a rotation too, for 24 hours", async () => {
    const [first = ""] = endpoint.secrets.map(({ secret }) => secret);
    const rotate = () => rotateSecret(endpoint.id, { ...webhooks, clock: webhooks.deliverPorts.clock });
    const second = (await rotate()) ?? "";
    const accepted = async (...secrets: string[]) => {
      await attempt();
      return secrets.map(isAccepted);
    };
    expect(await accepted(first, second)).toEqual([true, true]);
    webhooks.pass(24 * HOUR_MS - 1);
    expect(await accepted(first, second)).toEqual([true, true]);
    webhooks.pass(1);
    expect(await accepted(first, second)).toEqual([false, true]);
    const third = (await rotate()) ?? "";
    const fourth = (await rotate()) ?? "";
    expect(await accepted(second, third, fourth)).toEqual([false, true, true]);
  });

  it.each([200, 201, 202, 204, 299])("succeeds with the status %i", async (status) => {
    answer = () => status;
    expect(await attempt()).toEqual([]);
  });

  it.each([
    ...[100, 199, 300, 301, 304, 400, 404, 409, 429, 500, 503].map(
      (status) => [`HTTP ${status}`, () => status] as const,
    ),
    ...["timeout", "ECONNREFUSED", "address_not_allowed"].map((code) => [code, fail(code)] as const),
  ])("fails with %s, and returns after a pause", async (reason, result) => {
    answer = result;
    expect(await attempt()).toEqual(["record-1"]);
    expect(webhooks.delays).toEqual([{ recordId: "record-1", seconds: 5 }]);
    expect(webhooks.observed).toEqual([["failed", delivery(), 1, reason]]);
    expect(await webhooks.endpoints.find(endpoint.id)).toMatchObject({
      status: "enabled",
      lastFailure: { at: "2026-11-23T09:30:00.000Z", reason },
    });
  });

  it("is attempted ten times in about a day, each pause up to a fifth shorter or longer, and then dead-lettered", async () => {
    answer = () => 500;
    const pauses = async (random: number) => {
      webhooks.delays.length = 0;
      for (let number = 1; number < ATTEMPTS_MAX; number++) {
        const clock = { ...webhooks.deliverPorts.clock, random: () => random };
        expect(await deliver([deliveryRecord(delivery(), number)], { ...ports(), clock })).toEqual(["record-1"]);
      }
      return webhooks.delays.map(({ seconds }) => seconds);
    };
    expect(ATTEMPTS_MAX).toBe(10);
    expect(await pauses(0.5)).toEqual([5, 60, 300, 1800, 3600, 7200, 14_400, 28_800, 28_800]);
    expect(await pauses(0)).toEqual([4, 48, 240, 1440, 2880, 5760, 11_520, 23_040, 23_040]);
    expect(await pauses(1)).toEqual([6, 72, 360, 2160, 4320, 8640, 17_280, 34_560, 34_560]);
    expect(webhooks.failures).toEqual([]);
    expect(await attempt(ATTEMPTS_MAX)).toEqual([]);
    expect(webhooks.failures).toEqual([{ record: deliveryRecord(delivery(), ATTEMPTS_MAX), reason: "HTTP 500" }]);
    expect(webhooks.observed.at(-1)).toEqual(["deadLettered", expect.anything(), delivery(), "HTTP 500"]);
  });

  it("with the answer 410 disables its endpoint, and is dropped as all later ones", async () => {
    answer = () => 410;
    expect(await attempt()).toEqual([]);
    expect(await webhooks.endpoints.find(endpoint.id)).toMatchObject({
      status: "disabled",
      disabledReason: "HTTP 410",
    });
    expect(await attempt()).toEqual([]);
    expect(posted).toHaveLength(1);
    expect(webhooks.observed.map(([name, , last]) => [name, last])).toEqual([
      ["failed", 1],
      ["dropped", "gone"],
      ["dropped", "disabled"],
    ]);
    expect(webhooks.failures).toEqual([]);
  });

  it("with the answer 410 of an old URL does not disable the endpoint at its new one", async () => {
    answer = async () => {
      await webhooks.endpoints.update(endpoint.id, { url: "https://new.example.com/" });
      return 410;
    };
    expect(await attempt()).toEqual([]);
    expect(await webhooks.endpoints.find(endpoint.id)).toMatchObject({ status: "enabled" });
  });

  it("to a deleted endpoint is dropped", async () => {
    await webhooks.endpoints.remove(endpoint.id);
    expect(await attempt()).toEqual([]);
    expect(posted).toEqual([]);
    expect(webhooks.observed).toEqual([["dropped", delivery(), "deleted"]]);
  });

  it.each(["", "{}", "null", "{not json", '{"endpointId":"wh_1","eventId":1,"body":""}', '{"endpointId":"wh_1"}'])(
    "that can't be decoded is dead-lettered at once: %j",
    async (body) => {
      expect(await deliver([deliveryRecord(body)], ports())).toEqual([]);
      expect(webhooks.failures).toEqual([{ record: deliveryRecord(body), reason: "malformed" }]);
    },
  );
});

describe("a batch", () => {
  it("is delivered at the same time, and returns only the records that failed", async () => {
    let [calls, current, most] = [0, 0, 0];
    const post = async () => {
      const status = calls++ % 2 === 0 ? 200 : 500;
      most = Math.max(most, ++current);
      await new Promise(setImmediate);
      current--;
      return status;
    };
    const records = Array.from({ length: 10 }, (_, index) => deliveryRecord(delivery(), 1, `record-${index}`));
    expect(await deliver(records, { ...ports(), post })).toEqual([1, 3, 5, 7, 9].map((index) => `record-${index}`));
    expect(most).toBe(10);
  });

  const outage = () => Promise.reject(new TransientError("no answer"));

  it("returns a record whose endpoint can't be read, without a request, and delivers the others", async () => {
    const find = (id: string) => (id === endpoint.id ? webhooks.endpoints.find(id) : outage());
    const records = [deliveryRecord({ ...delivery(), endpointId: "wh_2" }, 1, "unread"), deliveryRecord(delivery())];
    expect(await deliver(records, { ...ports(), endpoints: { ...webhooks.endpoints, find } })).toEqual(["unread"]);
    expect(posted).toHaveLength(1);
  });

  it("is done although the endpoint's last success can't be stored", async () => {
    const broken = { ...ports(), endpoints: { ...webhooks.endpoints, update: outage } };
    expect(await deliver([deliveryRecord(delivery())], broken)).toEqual([]);
  });

  it("returns a failed record when its pause, or its dead letter, could not be sent", async () => {
    answer = () => 500;
    const queue = { delay: outage, sendToFailures: outage };
    for (const number of [1, ATTEMPTS_MAX]) {
      expect(await deliver([deliveryRecord(delivery(), number)], { ...ports(), queue })).toEqual(["record-1"]);
    }
    expect(await deliver([deliveryRecord("malformed")], { ...ports(), queue })).toEqual(["record-1"]);
  });
});

describe("what an endpoint shows of its deliveries", () => {
  it("is written at most once a minute while nothing changes, and at once when it changes", async () => {
    const times = async (...statuses: number[]) => {
      const before = webhooks.updates();
      for (const status of statuses) {
        webhooks.pass(1);
        answer = () => status;
        await attempt();
      }
      return webhooks.updates() - before;
    };
    expect(await times(200, 200, 200)).toBe(1);
    expect(await times(500, 500, 500)).toBe(1);
    expect(await times(200, 500)).toBe(2);
    webhooks.pass(60_000);
    expect(await times(500, 500)).toBe(1);
    expect(await webhooks.endpoints.find(endpoint.id)).toMatchObject({
      lastSuccess: { at: "2026-11-23T09:30:00.007Z" },
      lastFailure: { at: "2026-11-23T09:31:00.009Z", reason: "HTTP 500" },
    });
  });
});
