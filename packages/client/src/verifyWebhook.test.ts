import { randomBytes } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import { verifyWebhook, type WebhookRequest } from "./index.ts";

const newSecret = () => `whsec_${randomBytes(32).toString("base64")}`;
const [secret, oldSecret] = [newSecret(), newSecret()];
const body = '{"specversion":"1.0","id":"alice/1","data":{"reference":"Käse €"}}';
const now = new Date("2026-11-30T08:00:00.000Z");

/** Headers as the library of Standard Webhooks makes them. */
function signedBy(secrets: readonly string[], text = body, at = now) {
  const id = "msg_1";
  return {
    "webhook-id": id,
    "webhook-timestamp": String(at.getTime() / 1000),
    "webhook-signature": secrets.map((each) => new Webhook(each).sign(id, at, text)).join(" "),
  };
}

function verified(change: Partial<WebhookRequest> = {}) {
  return verifyWebhook({ body, headers: signedBy([secret]), secret, now, ...change });
}

function secondsLater(seconds: number): Date {
  return new Date(now.getTime() + seconds * 1000);
}

const invalid = expect.objectContaining({ name: "AntlerError", code: "webhook_invalid" });

describe("verifyWebhook", () => {
  it("returns the event of a request that the library signed", async () => {
    expect(await verified()).toEqual(JSON.parse(body));
  });

  it("takes the body as bytes, and headers in each form", async () => {
    const headers = signedBy([secret]);
    const titled = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [
        name.replace(/\b\w/g, (letter) => letter.toUpperCase()),
        [value],
      ]),
    );
    for (const each of [headers, new Headers(headers), titled]) {
      expect(await verified({ body: Buffer.from(body), headers: each })).toMatchObject({ id: "alice/1" });
    }
  });

  it("takes the current time by default", async () => {
    const headers = signedBy([secret], body, new Date(Math.floor(Date.now() / 1000) * 1000));
    expect(await verifyWebhook({ body, headers, secret })).toMatchObject({ id: "alice/1" });
    await expect(
      verifyWebhook({ body, headers: signedBy([secret], body, secondsLater(-1e9)), secret }),
    ).rejects.toThrow(invalid);
  });

  it("accepts either secret during a rotation, on both sides", async () => {
    const both = signedBy([secret, oldSecret]);
    for (const each of [secret, oldSecret, [oldSecret, newSecret()], [newSecret(), secret]]) {
      expect(await verified({ headers: both, secret: each })).toMatchObject({ id: "alice/1" });
    }
    expect(await verified({ headers: signedBy([oldSecret]), secret: [secret, oldSecret] })).toMatchObject({
      id: "alice/1",
    });
  });

  it.each([
    ["another body", { body: body.replace("alice", "bobby") }],
    ["JSON that was printed again", { body: JSON.stringify(JSON.parse(body), null, 1) }],
    ["another secret", { secret: oldSecret }],
    ["another id", { headers: { ...signedBy([secret]), "webhook-id": "msg_2" } }],
    ["another time", { headers: { ...signedBy([secret]), "webhook-timestamp": "1795939201" } }],
    ["no signature", { headers: { ...signedBy([secret]), "webhook-signature": undefined } }],
    ["no headers", { headers: new Headers() }],
    ["an empty signature", { headers: { ...signedBy([secret]), "webhook-signature": "v1," } }],
    ["a signature that is not base64", { headers: { ...signedBy([secret]), "webhook-signature": "v1,é" } }],
    [
      "a signature of another version",
      {
        headers: {
          ...signedBy([secret]),
          "webhook-signature": signedBy([secret])["webhook-signature"].replace("v1", "v2"),
        },
      },
    ],
    ["a timestamp that is no number", { headers: { ...signedBy([secret]), "webhook-timestamp": "1e9" } }],
    ["a body that is no JSON", { body: "{", headers: signedBy([secret], "{") }],
    ["no secret", { secret: [] }],
  ])("refuses %s", async (_what, change) => {
    await expect(verified(change)).rejects.toThrow(invalid);
  });

  it.each([
    [300, {}, true],
    [301, {}, false],
    [-300, {}, true],
    [-301, {}, false],
    [600, { toleranceSeconds: 600 }, true],
    [1, { toleranceSeconds: 0 }, false],
  ])("%i seconds after the signature, with %j, returns an event: %s", async (seconds, options, isValid) => {
    const verifying = verified({ now: secondsLater(seconds), ...options });
    if (isValid) expect(await verifying).toMatchObject({ id: "alice/1" });
    else await expect(verifying).rejects.toThrow(invalid);
  });

  it.each(["", "whsec_", "whsec_é", "***"])("refuses the secret %j", async (wrong) => {
    await expect(verified({ secret: wrong })).rejects.toMatchObject({ code: "invalid_argument" });
  });
});
