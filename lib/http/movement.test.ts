import { beforeEach, describe, expect, it } from "vitest";
import { httpEvent, lambdaContext } from "../../testkit/events.ts";
import { type InMemoryPorts, inMemoryPorts, recordOf } from "../../testkit/inMemoryPorts.ts";
import type { Transaction } from "../domain/transaction.ts";
import { consume } from "../ledger/consume.ts";
import { type Submission, submit } from "../ledger/submit.ts";
import { deposit as depositSpecification } from "./commands/deposit.ts";
import { readSubmission, respondToSubmission } from "./movement.ts";
import { HttpProblem, PROBLEMS } from "./problem.ts";
import { problemResponse, type Response } from "./response.ts";
import type { HttpEvent } from "./route.ts";
import { problemSchema, transactionSchema } from "./schemas.ts";

const deposit: Submission = {
  userId: "auth0|alice",
  idempotencyKey: "key-1",
  type: "deposit",
  currency: "USD",
  amount: "12.34",
  reference: undefined,
  metadata: undefined,
  requestId: "request-1",
};
const withdrawal: Submission = { ...deposit, type: "withdrawal", idempotencyKey: "key-2" };

let ports: InMemoryPorts;
beforeEach(() => {
  ports = inMemoryPorts();
});

async function consumeAll() {
  await consume(
    ports.sent.splice(0).map((message, index) => recordOf(message, `record-${index}`)),
    ports,
  );
}

/** Returns the response, also for a problem. */
async function respond(submission: Submission, prefer?: string): Promise<Response> {
  const event = httpEvent({ method: "POST", headers: prefer ? { prefer } : {} });
  try {
    return await respondToSubmission(event, await submit(submission, ports), ports);
  } catch (error) {
    if (error instanceof HttpProblem) return problemResponse(error, "request-1");
    throw error;
  }
}

const bodyOf = (response: Response): unknown => JSON.parse(response.body ?? "");
const viewOf = (response: Response) => transactionSchema.parse(bodyOf(response));
const problemOf = (response: Response) => problemSchema.parse(bodyOf(response));

function stored(): Transaction {
  const [transaction] = ports.transactions.values();
  if (!transaction) throw new Error("Nothing is stored");
  return transaction;
}

describe("readSubmission", () => {
  const request = {
    method: "POST",
    headers: { "idempotency-key": "key-1", "content-type": "application/json" },
    pathParameters: { userId: "alice" },
    body: '{"currency":"USD","amount":"1.50","reference":"invoice 1","metadata":{"a":"b"}}',
  };

  const read = (event: HttpEvent) => readSubmission(event, lambdaContext, depositSpecification);

  it("reads the submission of a deposit", () => {
    expect(read(httpEvent(request))).toEqual({
      type: "deposit",
      userId: "alice",
      idempotencyKey: "key-1",
      currency: "USD",
      amount: "1.50",
      reference: "invoice 1",
      metadata: { a: "b" },
      requestId: "request-1",
    });
  });

  it("refuses two waits before the command is stored", () => {
    const event = httpEvent({ ...request, headers: { ...request.headers, prefer: "wait=5,wait=5" } });
    expect(() => read(event)).toThrow(expect.objectContaining({ code: "prefer_invalid" }));
  });

  it("checks the Idempotency-Key before the body", () => {
    const event = httpEvent({ ...request, headers: {}, body: "{" });
    expect(() => read(event)).toThrow(expect.objectContaining({ code: "idempotency_key_required" }));
  });
});

describe("without Prefer: wait", () => {
  it("responds with 202, the pending transaction and its location", async () => {
    const response = await respond(deposit);

    expect(response.statusCode).toBe(202);
    expect(response.headers).toEqual({
      "content-type": "application/json",
      "cache-control": "no-store",
      location: `/v1/users/auth0%7Calice/transactions/${stored().id}`,
    });
    expect(viewOf(response)).toEqual({
      id: stored().id,
      userId: "auth0|alice",
      type: "deposit",
      currency: "USD",
      amount: "12.34",
      status: "pending",
      sequence: null,
      balanceAfter: null,
      createdAt: "2026-11-23T09:30:00.000Z",
      postedAt: null,
      reference: null,
      metadata: {},
      rejection: null,
    });
    expect(ports.clock.sleeps).toEqual([]);
  });

  it("responds to a replay with 202 and the current state of the transaction", async () => {
    await respond(deposit);
    await consumeAll();

    const response = await respond(deposit);

    expect(response.statusCode).toBe(202);
    expect(response.headers).toMatchObject({ "idempotency-replayed": "true" });
    expect(viewOf(response)).toMatchObject({ status: "posted", sequence: 1, balanceAfter: "12.34" });
  });

  it("responds to a replay with 202 when the command was rejected", async () => {
    await respond(withdrawal);
    await consumeAll();

    const response = await respond(withdrawal);

    expect(response.statusCode).toBe(202);
    expect(viewOf(response)).toMatchObject({ status: "rejected", rejection: { code: "insufficient_funds" } });
  });
});

describe("with Prefer: wait", () => {
  it("responds with 201 once the command is posted", async () => {
    ports.clock.in(100, () => void consumeAll());

    const response = await respond(deposit, "wait=5");

    expect(response.statusCode).toBe(201);
    expect(response.headers).toMatchObject({
      location: `/v1/users/auth0%7Calice/transactions/${stored().id}`,
      "preference-applied": "wait=5",
    });
    expect(response.headers).not.toHaveProperty("idempotency-replayed");
    expect(viewOf(response)).toMatchObject({
      status: "posted",
      sequence: 1,
      balanceAfter: "12.34",
      postedAt: expect.any(String),
    });
  });

  it("responds with 422 and the transaction once the command is rejected", async () => {
    ports.clock.in(100, () => void consumeAll());

    const response = await respond(withdrawal, "wait=5");

    expect(response.statusCode).toBe(422);
    expect(response.headers).toMatchObject({
      "content-type": "application/problem+json",
      "preference-applied": "wait=5",
      location: `/v1/users/auth0%7Calice/transactions/${stored().id}`,
    });
    expect(problemOf(response)).toMatchObject({
      type: "urn:antler:problem:insufficient_funds",
      status: 422,
      code: "insufficient_funds",
      detail: "The balance does not cover the withdrawal",
      requestId: "request-1",
      transaction: {
        id: stored().id,
        status: "rejected",
        sequence: 1,
        balanceAfter: "0.00",
        rejection: { code: "insufficient_funds" },
      },
    });
  });

  it("responds with 202 when the command is still pending after the wait", async () => {
    const response = await respond(deposit, "wait=2");

    expect(response.statusCode).toBe(202);
    expect(response.headers).toMatchObject({ "preference-applied": "wait=2" });
    expect(viewOf(response).status).toBe("pending");
  });

  it("waits at most 20 seconds and reports the wait that it applied", async () => {
    const response = await respond(deposit, "wait=600");

    expect(response.headers).toMatchObject({ "preference-applied": "wait=20" });
    expect(ports.clock.sleeps.reduce((sum, sleep) => sum + sleep, 0)).toBeLessThan(20_001);
  });

  it("responds to a replay with the same 201 and Idempotency-Replayed", async () => {
    ports.clock.in(100, () => void consumeAll());
    const first = await respond(deposit, "wait=5");
    const again = await respond(deposit, "wait=5");
    expect(again.statusCode).toBe(201);
    expect(bodyOf(again)).toEqual(bodyOf(first));
    expect(again.headers).toMatchObject({ "idempotency-replayed": "true" });
  });

  it("responds to a replay of a rejection with 422 and Idempotency-Replayed", async () => {
    ports.clock.in(100, () => void consumeAll());
    await respond(withdrawal, "wait=5");
    const again = await respond(withdrawal, "wait=5");
    expect(again.statusCode).toBe(422);
    expect(again.headers).toMatchObject({ "idempotency-replayed": "true" });
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
    const response = await respond({ ...deposit, ...change }, "wait=5");

    expect(response.statusCode).toBe(422);
    expect(problemOf(response)).toMatchObject({ code, errors: [{ pointer, detail: PROBLEMS[code].title }] });
    expect(response.headers).not.toHaveProperty("location");
    expect(ports.transactions.size).toBe(0);
    expect(ports.clock.sleeps).toEqual([]);
  });

  it("gets 422 idempotency_key_reused when the key was used with other content", async () => {
    await respond(deposit);

    const response = await respond({ ...deposit, amount: "99" });

    expect(response.statusCode).toBe(422);
    expect(problemOf(response)).toMatchObject({ code: "idempotency_key_reused" });
    expect(response.body).not.toContain("12.34");
  });
});
