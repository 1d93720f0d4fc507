import { beforeEach, expect, it, vi } from "vitest";
import { ports } from "../lib/aws/adapters.ts";
import { MOVEMENTS } from "../lib/http/commands/index.ts";
import { transactionSchema } from "../lib/http/schemas.ts";
import { httpEvent, lambdaContext } from "../testkit/events.ts";
import { handler } from "./commands.ts";

vi.mock(import("../lib/aws/adapters.ts"), async () => ({
  ports: (await import("../testkit/inMemoryPorts.ts")).inMemoryPorts(),
}));
vi.mock(import("../lib/http/authenticate.ts"), async (original) => ({
  ...(await original()),
  authenticate: async (authorization) => ({ subject: authorization ?? "", scopes: new Set<string>() }),
}));

vi.stubEnv("SELF_SERVICE", "deposits,withdrawals");

const send = vi.spyOn(ports.queue, "send");
beforeEach(() => void send.mockClear());

/** Calls the function with the event of API Gateway behind a custom domain that maps the prefix to the API. */
function post(path: string, prefix: string, subject: string) {
  const event = httpEvent({
    method: "POST",
    path,
    headers: { authorization: subject, "idempotency-key": path },
    pathParameters: { userId: "alice" },
    body: '{"currency":"USD","amount":"1.00"}',
  });
  event.rawPath = event.requestContext.http.path = `${prefix}${event.rawPath}`;
  return handler(event, lambdaContext);
}

it.each([
  ["/v1/users/{userId}/deposits", "deposit"],
  ["/v1/users/{userId}/withdrawals", "withdrawal"],
])("POST %s accepts a %s, behind any prefix", async (path, type) => {
  for (const prefix of ["", "/stage"]) {
    const response = await post(path, prefix, "alice");
    expect(response.statusCode).toBe(202);
    expect(transactionSchema.parse(JSON.parse(response.body ?? ""))).toMatchObject({ type, userId: "alice" });
    expect(send).toHaveBeenLastCalledWith(expect.objectContaining({ command: expect.objectContaining({ type }) }));
  }
});

it.each(MOVEMENTS.map(({ path }) => path))("POST %s for another user's wallet is forbidden", async (path) => {
  expect(await post(path, "", "bob")).toMatchObject({ statusCode: 403 });
  expect(send).not.toHaveBeenCalled();
});
