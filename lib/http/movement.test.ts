import { beforeEach, describe, expect, it, vi } from "vitest";
import { httpEvent, lambdaContext } from "../../testkit/events.ts";
import { consumeSent, type InMemoryPorts, inMemoryPorts, submissionWith } from "../../testkit/inMemoryPorts.ts";
import { NO_DETAILS_HASH } from "../domain/hash.ts";
import { emptyWallet } from "../domain/state.ts";
import { transactionId } from "../ledger/idempotency.ts";
import { type Submission, submit } from "../ledger/submit.ts";
import { deposit as depositSpecification } from "./commands/deposit.ts";
import { findInPath, readSubmission, respondToSubmission } from "./movement.ts";
import { HttpProblem, PROBLEMS } from "./problem.ts";
import { problemResponse } from "./response.ts";
import { callerOf, type HttpEvent } from "./route.ts";
import { problemSchema, promisedSchema, transactionSchema } from "./schemas.ts";

vi.mock(import("./route.ts"), async (original) => ({ ...(await original()), callerOf: vi.fn() }));

const deposit = submissionWith({ userId: "auth0|alice" });
const withdrawal = submissionWith({ userId: "auth0|alice", type: "withdrawal" });

let ports: InMemoryPorts;
beforeEach(() => {
  ports = inMemoryPorts();
});

/** Returns the response, also for a problem, with its body as the client reads it. */
async function respond(submission: Submission, prefer?: string) {
  const event = httpEvent({ method: "POST", headers: prefer ? { prefer } : {} });
  const submitted = await submit(submission, ports);
  const {
    statusCode: status = 0,
    headers,
    body,
  } = await respondToSubmission(event, submission, submitted, ports).catch((error) => {
    if (error instanceof HttpProblem) return problemResponse(error, "request-1");
    throw error;
  });
  const schema =
    status >= 300 ? problemSchema : submission.actor === "counterparty" ? promisedSchema : transactionSchema;
  return { status, headers, body: schema.parse(JSON.parse(body ?? "")) };
}

const id = transactionId("auth0|alice", "key-1");
/** Of the deposit. */
const POSTING = { currency: "USD", amount: "12.34", held: "0.00", balanceAfter: "12.34", heldAfter: "0.00" };
const location = `/v1/users/auth0%7Calice/transactions/${id}`;

describe("readSubmission", () => {
  const request = {
    method: "POST",
    headers: { "idempotency-key": "key-1", "content-type": "application/json" },
    pathParameters: { userId: "alice" },
    body: '{"currency":"USD","amount":"1.50","reference":"invoice 1","metadata":{"a":"b"}}',
  };

  const read = (event: HttpEvent) => readSubmission(event, lambdaContext, depositSpecification, ports.store);

  beforeEach(() => {
    vi.stubEnv("SELF_SERVICE", "deposits");
    vi.mocked(callerOf).mockReturnValue({ userId: "alice", isOwner: true, isAdmin: false });
  });

  it.each([
    ["owner", { userId: "alice", isOwner: true, isAdmin: false }],
    ["admin", { userId: "service", isOwner: false, isAdmin: true }],
  ] as const)("reads the submission of a deposit by the %s", async (actor, caller) => {
    vi.mocked(callerOf).mockReturnValue(caller);
    expect(await read(httpEvent(request))).toEqual({
      userId: "alice",
      actor,
      idempotencyKey: "key-1",
      request: { type: "deposit", currency: "USD", amount: "1.50" },
      reference: "invoice 1",
      metadata: { a: "b" },
      requestId: "request-1",
    });
  });

  it("refuses two waits before the command is stored", async () => {
    const event = httpEvent({ ...request, headers: { ...request.headers, prefer: "wait=5,wait=5" } });
    await expect(read(event)).rejects.toThrow(expect.objectContaining({ code: "prefer_invalid" }));
  });

  it("checks the Idempotency-Key before the body", async () => {
    const event = httpEvent({ ...request, headers: {}, body: "{" });
    await expect(read(event)).rejects.toThrow(expect.objectContaining({ code: "idempotency_key_required" }));
  });
});

describe("findInPath", () => {
  it.each([
    ["an invalid user id", "u".repeat(129), id],
    ["an invalid id", "alice", "tx_x"],
    ["no id", "alice", ""],
  ])("finds nothing for %s, and reads nothing", async (_what, userId, id) => {
    expect(await findInPath(httpEvent({ pathParameters: { userId, id } }), ports.store)).toBeUndefined();
    expect(ports.calls).toEqual([]);
  });
});

describe("without Prefer: wait", () => {
  it("responds with 202, the pending transaction and its location", async () => {
    expect(await respond(deposit)).toEqual({
      status: 202,
      headers: { "content-type": "application/json", "cache-control": "no-store", location },
      body: {
        id,
        userId: "auth0|alice",
        type: "deposit",
        currency: "USD",
        amount: "12.34",
        status: "pending",
        sequence: null,
        actor: "owner",
        createdAt: "2026-11-23T09:30:00.000Z",
        decidedAt: null,
        postings: [],
        rejection: null,
        reference: null,
        metadata: {},
        detailsHash: NO_DETAILS_HASH,
        previousHash: null,
        hash: null,
        reversed: null,
      },
    });
    expect(ports.clock.sleeps).toEqual([]);
  });

  it.each([
    ["is posted", deposit, { status: "posted", sequence: 1, postings: [POSTING] }],
    ["was rejected", withdrawal, { status: "rejected", rejection: { code: "insufficient_funds" } }],
  ])("responds to a replay with 202 and the current state when the command %s", async (_what, submission, body) => {
    await respond(submission);
    await consumeSent(ports);

    expect(await respond(submission)).toMatchObject({ status: 202, headers: { "idempotency-replayed": "true" }, body });
  });
});

describe("with Prefer: wait", () => {
  it("responds with 201 once the command is posted", async () => {
    ports.clock.in(100, () => void consumeSent(ports));

    const response = await respond(deposit, "wait=5");

    expect(response).toMatchObject({
      status: 201,
      headers: { location, "preference-applied": "wait=5" },
      body: {
        status: "posted",
        sequence: 1,
        decidedAt: expect.any(String),
        postings: [POSTING],
        previousHash: null,
        hash: expect.any(String),
      },
    });
    expect(response.headers).not.toHaveProperty("idempotency-replayed");
  });

  it("responds with 422 and the transaction once the command is rejected", async () => {
    ports.clock.in(100, () => void consumeSent(ports));

    expect(await respond(withdrawal, "wait=5")).toMatchObject({
      status: 422,
      headers: { "content-type": "application/problem+json", "preference-applied": "wait=5", location },
      body: {
        type: "urn:antler:problem:insufficient_funds",
        status: 422,
        code: "insufficient_funds",
        detail: "The available balance does not cover the amount",
        requestId: "request-1",
        transaction: {
          id,
          status: "rejected",
          sequence: 1,
          postings: [],
          rejection: { code: "insufficient_funds" },
        },
      },
    });
  });

  it("responds with 202 when the command is still pending after the wait", async () => {
    expect(await respond(deposit, "wait=2")).toMatchObject({
      status: 202,
      headers: { "preference-applied": "wait=2" },
      body: { status: "pending" },
    });
  });

  it("waits at most 20 seconds and reports the wait that it applied", async () => {
    expect(await respond(deposit, "wait=600")).toMatchObject({ headers: { "preference-applied": "wait=20" } });
    expect(ports.clock.sleeps.reduce((sum, sleep) => sum + sleep, 0)).toBeLessThan(20_001);
  });

  it.each([
    [201, deposit],
    [422, withdrawal],
  ])("responds to a replay with the same %i and Idempotency-Replayed", async (status, submission) => {
    ports.clock.in(100, () => void consumeSent(ports));
    const { body } = await respond(submission, "wait=5");

    const replay = await respond(submission, "wait=5");
    expect(replay).toMatchObject({ status, headers: { "idempotency-replayed": "true" } });
    expect(replay.body).toEqual(body);
  });
});

describe("a capture by the user to whom a hold is promised", () => {
  beforeEach(async () => {
    for (const userId of ["auth0|alice", "bob"])
      await submit(submissionWith({ userId, idempotencyKey: userId }), ports);
    await consumeSent(ports);
  });

  /** The submission of bob's capture of a hold that alice promised to him. */
  async function capture(amount?: string): Promise<Submission> {
    const idempotencyKey = "hold";
    const request = { type: "hold", to: "bob", currency: "USD", amount: "10" } as const;
    const submitted = await submit({ ...deposit, idempotencyKey, request }, ports);
    if (!submitted.accepted || submitted.transaction.type !== "hold") throw new Error("The hold is not accepted");
    await consumeSent(ports);
    const { transaction: referred } = submitted;
    const caller = { actor: "counterparty", counterpartyId: "bob" } as const;
    return { ...deposit, ...caller, request: { type: "capture", referred, amount, final: true } };
  }

  const captureLocation = `/v1/users/auth0%7Calice/transactions/${transactionId("auth0|alice", "key-1", "bob")}`;

  it("gets the narrow view while it is pending", async () => {
    const { status, headers, body } = await respond(await capture());
    expect([status, headers?.location]).toEqual([202, captureLocation]);
    expect(body).toMatchObject({ type: "capture", status: "pending", amount: null, hold: null });
  });

  it("gets the narrow view once the money is in its wallet", async () => {
    const submission = await capture();
    ports.clock.in(100, () => void consumeSent(ports).then(() => consumeSent(ports)));
    const { status, body } = await respond(submission, "wait=5");
    expect(status).toBe(201);
    expect(body).toMatchObject({ status: "posted", amount: "10.00", transfer: { to: "bob", status: "credited" } });
  });

  it("gets the narrow view in the problem of a rejection", async () => {
    const submission = await capture("10.01");
    ports.clock.in(100, () => void consumeSent(ports));
    const { status, headers, body } = await respond(submission, "wait=5");
    expect([status, headers?.location]).toEqual([422, captureLocation]);
    expect(body).toMatchObject({ code: "capture_exceeds_hold", transaction: { status: "rejected", amount: "10.01" } });
    promisedSchema.parse(problemSchema.parse(body).transaction);
  });
});

describe("a transfer with Prefer: wait", () => {
  const transfer: Submission = { ...deposit, request: { type: "transfer", to: "bob", currency: "USD", amount: "5" } };

  beforeEach(async () => {
    for (const userId of ["auth0|alice", "bob"])
      await submit(submissionWith({ userId, idempotencyKey: userId }), ports);
    await consumeSent(ports);
  });

  it("gets 202 and in_transit while the receiver's credit is pending", async () => {
    ports.clock.in(100, () => void consumeSent(ports));
    expect(await respond(transfer, "wait=2")).toMatchObject({
      status: 202,
      headers: { "preference-applied": "wait=2" },
      body: { status: "posted", transfer: { to: "bob", status: "in_transit" } },
    });
  });

  it("gets 201 once the receiver's credit is posted", async () => {
    ports.clock.in(100, () => void consumeSent(ports));
    ports.clock.in(1000, () => void consumeSent(ports));
    expect(await respond(transfer, "wait=5")).toMatchObject({
      status: 201,
      body: { status: "posted", transfer: { to: "bob", status: "credited" } },
    });
  });

  it("gets 201 once the money is back, and not the receiver's reason", async () => {
    ports.wallets.set("bob", { ...emptyWallet, sequence: 1 });
    for (const atMs of [100, 1000, 2000]) ports.clock.in(atMs, () => void consumeSent(ports));
    ports.clock.in(500, () => ports.wallets.set("bob", { ...emptyWallet, sequence: 1, status: "closed" }));
    const { status, body } = await respond(transfer, "wait=5");
    expect([status, body]).toMatchObject([
      201,
      { status: "posted", rejection: null, transfer: { status: "returned" } },
    ]);
    expect(JSON.stringify(body)).not.toContain("closed");
  });
});

describe("a submission that is not accepted", () => {
  it.each([
    ["unknown_currency", { currency: "DOGE" }, "/currency"],
    ["unknown_currency", { currency: "XOF", amount: "1" }, "/currency"],
    ["amount_invalid", { amount: "1e3" }, "/amount"],
    ["amount_scale", { amount: "1.234" }, "/amount"],
    ["amount_zero", { amount: "0" }, "/amount"],
    ["amount_limit", { amount: "9".repeat(37) }, "/amount"],
  ] as const)("gets 422 %s for %j, with a pointer to the field", async (code, change, pointer) => {
    const response = await respond(submissionWith({ userId: "auth0|alice", ...change }), "wait=5");

    const errors = [{ pointer, detail: PROBLEMS[code].title }];
    expect(response).toMatchObject({ status: 422, body: { code, errors } });
    expect(response.headers).not.toHaveProperty("location");
    expect(ports.transactions.size).toBe(0);
    expect(ports.clock.sleeps).toEqual([]);
  });

  it("gets 422 idempotency_key_reused when the key was used with other content", async () => {
    await respond(deposit);

    const response = await respond(submissionWith({ userId: "auth0|alice", amount: "99" }));

    expect(response).toMatchObject({ status: 422, body: { code: "idempotency_key_reused" } });
    expect(JSON.stringify(response)).not.toContain("12.34");
  });
});
