import type { MockInstance } from "vitest";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { httpEvent, lambdaContext } from "../../testkit/events.ts";
import { TransientError } from "../ledger/ports.ts";
import { logger } from "../runtime/telemetry.ts";
import type { Caller } from "./authenticate.ts";
import { HttpProblem } from "./problem.ts";
import { jsonResponse, type Response } from "./response.ts";
import { authenticatedRoute, callerOf, publicRoute, userRoute } from "./route.ts";
import { problemSchema } from "./schemas.ts";

/** Here a token is `subject scope scope`. authenticate.test.ts tests real tokens. */
vi.mock(import("./authenticate.ts"), async (original) => ({
  ...(await original()),
  authenticate: async (authorization): Promise<Caller> => {
    if (!authorization) throw new HttpProblem("unauthorized", { headers: { "www-authenticate": "Bearer" } });
    const [subject = "", ...scopes] = authorization.split(" ");
    return { subject, scopes: new Set(scopes) };
  },
}));

const work = vi.fn<() => Promise<Response>>();
let infoLog: MockInstance<typeof logger.info>;
let errorLog: MockInstance<typeof logger.error>;

beforeEach(() => {
  infoLog = vi.spyOn(logger, "info").mockReset().mockReturnValue();
  errorLog = vi.spyOn(logger, "error").mockReset().mockReturnValue();
  work.mockReset().mockResolvedValue(jsonResponse(200, { secretOf: "alice" }));
});

const asPublic = () => publicRoute().handler(work)(httpEvent(), lambdaContext);

function asUser(authorization: string | undefined, userId: string): Promise<Response> {
  const event = httpEvent({ headers: authorization ? { authorization } : {}, pathParameters: { userId } });
  return userRoute().handler(work)(event, lambdaContext);
}

const problemOf = (response: Response) => problemSchema.parse(JSON.parse(response.body ?? ""));

describe("a route of a user", () => {
  it("allows the user", async () => {
    expect(await asUser("alice", "alice")).toMatchObject({ statusCode: 200 });
    expect(work).toHaveBeenCalledOnce();
  });

  it("allows a caller with the scope wallets:admin for any user", async () => {
    expect(await asUser("service wallets:read wallets:admin", "alice")).toMatchObject({ statusCode: 200 });
  });

  it.each([
    ["bob", "alice"],
    ["Alice", "alice"],
    ["alice2", "alice"],
    ["alic", "alice"],
    ["bob wallets:read", "alice"],
    ["bob wallets:administrator", "alice"],
    ["bob WALLETS:ADMIN", "alice"],
    ["bob", "without-a-wallet"],
    ["bob", "not a user id"],
    ["bob", "__proto__"],
  ])("refuses %j for the wallet of %j with 403 before it calls the handler", async (authorization, userId) => {
    const response = await asUser(authorization, userId);

    expect(response.statusCode).toBe(403);
    expect(problemOf(response)).toMatchObject({ code: "forbidden" });
    expect(response.body).not.toContain("secretOf");
    expect(work).not.toHaveBeenCalled();
  });

  it("responds alike for a wallet that exists and for one that does not", async () => {
    expect(await asUser("bob", "alice")).toEqual(await asUser("bob", "without-a-wallet"));
  });

  it("refuses a missing token with 401 and WWW-Authenticate before it calls the handler", async () => {
    const response = await asUser(undefined, "alice");

    expect(response).toMatchObject({ statusCode: 401, headers: { "www-authenticate": "Bearer" } });
    expect(problemOf(response)).toMatchObject({ code: "unauthorized" });
    expect(work).not.toHaveBeenCalled();
  });

  it("refuses an invalid user id of an admin with 422", async () => {
    const response = await asUser("service wallets:admin", "not a user id");

    expect(response.statusCode).toBe(422);
    expect(problemOf(response)).toMatchObject({ code: "validation_failed", errors: [{ parameter: "userId" }] });
    expect(work).not.toHaveBeenCalled();
  });
});

describe("the caller of a route", () => {
  async function callerIn(authorization: string): Promise<unknown> {
    const event = httpEvent({ headers: { authorization }, pathParameters: { userId: "alice" } });
    const handler = authenticatedRoute().handler(async (handled) => jsonResponse(200, callerOf(handled)));
    const { body } = await handler(event, lambdaContext);
    return JSON.parse(body ?? "");
  }

  it.each([
    ["alice", { userId: "alice", isOwner: true, isAdmin: false }],
    ["bob", { userId: "bob", isOwner: false, isAdmin: false }],
    ["service wallets:admin", { userId: "service", isOwner: false, isAdmin: true }],
    ["alice wallets:admin", { userId: "alice", isOwner: true, isAdmin: true }],
  ])("of the token %j is %j", async (authorization, caller) => {
    expect(await callerIn(authorization)).toEqual(caller);
  });

  it("is unknown in a public route", async () => {
    work.mockImplementation(async () => jsonResponse(200, callerOf(httpEvent())));
    expect(await asPublic()).toMatchObject({ statusCode: 500 });
  });
});

describe("a public route", () => {
  it("needs no token", async () => {
    expect(await asPublic()).toMatchObject({ statusCode: 200, body: '{"secretOf":"alice"}' });
  });
});

describe("the x-request-id header", () => {
  it("is in a successful response", async () => {
    expect((await asPublic()).headers).toMatchObject({
      "x-request-id": "request-1",
      "content-type": "application/json",
    });
  });

  it("is in the response to a problem, whose body has the id too", async () => {
    work.mockRejectedValue(new HttpProblem("not_found"));

    const response = await asPublic();

    expect(response.headers).toMatchObject({
      "x-request-id": "request-1",
      "content-type": "application/problem+json",
      "cache-control": "no-store",
    });
    expect(problemOf(response).requestId).toBe("request-1");
  });

  it("is in the response to a missing token", async () => {
    expect((await asUser(undefined, "alice")).headers).toMatchObject({ "x-request-id": "request-1" });
  });
});

describe("the log entry of a request", () => {
  it.each([
    ["/v1/users/alice/transactions/tx_1", "tx_1"],
    ["../docs", undefined],
  ])("with the location %s has the transaction %s", async (location, transactionId) => {
    work.mockResolvedValue(jsonResponse(200, {}, { location }));
    await asPublic();
    expect(infoLog).toHaveBeenLastCalledWith("request", expect.objectContaining({ transactionId }));
  });
});

describe("an error of the handler", () => {
  it("becomes its problem details", async () => {
    const errors = [{ pointer: "/amount", detail: "is wrong" }];
    work.mockRejectedValue(
      new HttpProblem("validation_failed", { errors, headers: { "x-own": "1" }, members: { more: 1 } }),
    );

    const response = await asPublic();

    expect(response).toMatchObject({ statusCode: 422, headers: { "x-own": "1" } });
    expect(JSON.parse(response.body ?? "")).toEqual({
      type: "urn:antler:problem:validation_failed",
      title: "The request has fields that are missing, unknown or invalid",
      status: 422,
      detail: "The request has fields that are missing, unknown or invalid",
      code: "validation_failed",
      requestId: "request-1",
      errors,
      more: 1,
    });
    expect(errorLog).not.toHaveBeenCalled();
  });

  it.each([
    ["an error", new Error("password hunter2 in table wallets")],
    ["an error with a cause", new Error("hunter2", { cause: new Error("hunter2") })],
    ["an error of a service", Object.assign(new Error("hunter2"), { name: "AccessDeniedException", statusCode: 400 })],
    ["something that is no error", "hunter2"],
  ])("becomes a 500 without its cause, which only the log has: %s", async (_what, thrown) => {
    work.mockRejectedValue(thrown);

    const response = await asPublic();

    expect(response.statusCode).toBe(500);
    expect(problemOf(response)).toMatchObject({ code: "internal_error", title: "Internal server error" });
    expect(JSON.stringify(response)).not.toContain("hunter2");
    expect(errorLog).toHaveBeenCalledWith(
      "request failed",
      expect.objectContaining({ requestId: "request-1", code: "internal_error", error: thrown }),
    );
  });

  it("becomes a 503 with Retry-After and without its cause when it is transient", async () => {
    work.mockRejectedValue(new TransientError("DynamoDB says hunter2"));

    const response = await asPublic();

    expect(response).toMatchObject({ statusCode: 503, headers: { "retry-after": "1", "x-request-id": "request-1" } });
    expect(problemOf(response)).toMatchObject({ code: "unavailable" });
    expect(JSON.stringify(response)).not.toContain("hunter2");
    expect(errorLog).toHaveBeenCalledOnce();
  });

  it("becomes problem details without the cause of the problem", async () => {
    work.mockRejectedValue(new HttpProblem("unavailable", { cause: new Error("hunter2") }));
    expect(JSON.stringify(await asPublic())).not.toContain("hunter2");
  });
});
