import type { MockInstance } from "vitest";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { TransientError } from "../ledger/ports.ts";
import { logger } from "../runtime/telemetry.ts";
import type { Caller } from "./authenticate.ts";
import { HttpProblem } from "./problem.ts";
import { jsonResponse, type Response } from "./response.ts";
import { type CallerRole, publicRoute, userRoute } from "./route.ts";
import { problemSchema } from "./schemas.ts";
import { httpEvent, lambdaContext } from "./testEvents.ts";

/** Tokens have their own tests; here one is `subject scope scope`, and no token is none. */
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

function asUser(authorization: string | undefined, userId: string, callers?: readonly CallerRole[]): Promise<Response> {
  const event = httpEvent({ headers: authorization ? { authorization } : {}, pathParameters: { userId } });
  return userRoute(callers).handler(work)(event, lambdaContext);
}

const problemOf = (response: Response) => problemSchema.parse(JSON.parse(response.body ?? ""));

describe("a user's route", () => {
  it("lets the user in", async () => {
    expect(await asUser("alice", "alice")).toMatchObject({ statusCode: 200 });
    expect(work).toHaveBeenCalledOnce();
  });

  it("lets a caller with the scope wallets:admin in for any user", async () => {
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
    ["bob", "nobody-has-this-wallet"],
    ["bob", "not a user id"],
    ["bob", "__proto__"],
  ])("keeps %j out of the wallet of %j with 403, before any work", async (authorization, userId) => {
    const response = await asUser(authorization, userId);

    expect(response.statusCode).toBe(403);
    expect(problemOf(response)).toMatchObject({ code: "forbidden" });
    expect(response.body).not.toContain("secretOf");
    expect(work).not.toHaveBeenCalled();
  });

  it.each([
    ["admin", "alice", 403],
    ["admin", "service wallets:admin", 200],
    ["owner", "alice wallets:read", 200],
    ["owner", "service wallets:admin", 403],
    ["owner", "alice wallets:admin", 200],
    ["admin", "alice wallets:admin", 200],
  ] as const)("for callers of the role %s responds to %j with %i", async (role, authorization, status) => {
    expect(await asUser(authorization, "alice", [role])).toMatchObject({ statusCode: status });
  });

  it("says the same of a wallet that exists and of one that does not", async () => {
    expect(await asUser("bob", "alice")).toEqual(await asUser("bob", "nobody-has-this-wallet"));
  });

  it("asks for a token with 401 and WWW-Authenticate, before any work", async () => {
    const response = await asUser(undefined, "alice");

    expect(response).toMatchObject({ statusCode: 401, headers: { "www-authenticate": "Bearer" } });
    expect(problemOf(response)).toMatchObject({ code: "unauthorized" });
    expect(work).not.toHaveBeenCalled();
  });

  it("tells an admin of a user id that can't be", async () => {
    const response = await asUser("service wallets:admin", "not a user id");

    expect(response.statusCode).toBe(422);
    expect(problemOf(response)).toMatchObject({ code: "validation_failed", errors: [{ parameter: "userId" }] });
    expect(work).not.toHaveBeenCalled();
  });
});

describe("a public route", () => {
  it("asks nobody for a token", async () => {
    expect(await asPublic()).toMatchObject({ statusCode: 200, body: '{"secretOf":"alice"}' });
  });
});

describe("every answer", () => {
  it("of success carries the request's id", async () => {
    expect((await asPublic()).headers).toMatchObject({
      "x-request-id": "request-1",
      "content-type": "application/json",
    });
  });

  it("of a problem carries the request's id, in its header and in its body", async () => {
    work.mockRejectedValue(new HttpProblem("not_found"));

    const response = await asPublic();

    expect(response.headers).toMatchObject({
      "x-request-id": "request-1",
      "content-type": "application/problem+json",
      "cache-control": "no-store",
    });
    expect(problemOf(response).requestId).toBe("request-1");
  });

  it("of a refusal by the token carries it too", async () => {
    expect((await asUser(undefined, "alice")).headers).toMatchObject({ "x-request-id": "request-1" });
  });
});

describe("the log of a request", () => {
  it.each([
    ["/v1/users/alice/transactions/tx_1", "tx_1"],
    ["../docs", undefined],
  ])("of an answer that leads to %s has the transaction %s", async (location, transactionId) => {
    work.mockResolvedValue(jsonResponse(200, {}, { location }));
    await asPublic();
    expect(infoLog).toHaveBeenLastCalledWith("request", expect.objectContaining({ transactionId }));
  });
});

describe("what goes wrong below a route", () => {
  it("is answered as the problem that it is", async () => {
    const errors = [{ pointer: "/amount", detail: "is wrong" }];
    work.mockRejectedValue(
      new HttpProblem("validation_failed", { errors, headers: { "x-own": "1" }, members: { more: 1 } }),
    );

    const response = await asPublic();

    expect(response).toMatchObject({ statusCode: 422, headers: { "x-own": "1" } });
    expect(JSON.parse(response.body ?? "")).toEqual({
      type: "urn:antler:problem:validation_failed",
      title: "The request has fields that are missing, unknown or wrong",
      status: 422,
      detail: "The request has fields that are missing, unknown or wrong",
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
  ])("is a 500 that hides its cause when it is %s, and the log has it", async (_what, thrown) => {
    work.mockRejectedValue(thrown);

    const response = await asPublic();

    expect(response.statusCode).toBe(500);
    expect(problemOf(response)).toMatchObject({ code: "internal_error", title: "Something went wrong here" });
    expect(JSON.stringify(response)).not.toContain("hunter2");
    expect(errorLog).toHaveBeenCalledWith(
      "request failed",
      expect.objectContaining({ requestId: "request-1", code: "internal_error", error: thrown }),
    );
  });

  it("is a 503 that says when to try again when a service is down, and hides its cause", async () => {
    work.mockRejectedValue(new TransientError("DynamoDB says hunter2"));

    const response = await asPublic();

    expect(response).toMatchObject({ statusCode: 503, headers: { "retry-after": "1", "x-request-id": "request-1" } });
    expect(problemOf(response)).toMatchObject({ code: "unavailable" });
    expect(JSON.stringify(response)).not.toContain("hunter2");
    expect(errorLog).toHaveBeenCalledOnce();
  });

  it("hides the cause of a problem that was thrown as one", async () => {
    work.mockRejectedValue(new HttpProblem("unavailable", { cause: new Error("hunter2") }));
    expect(JSON.stringify(await asPublic())).not.toContain("hunter2");
  });
});
