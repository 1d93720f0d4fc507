import { createServer } from "node:http";
import { inject } from "vitest";
import { listen } from "../../localstack/tcp.ts";
import { type RawResponse, rawClient } from "../../testkit/rawClient.ts";

export const { dial, sendBytes, request: attack } = rawClient(inject("apiUrl"));

/** False for a response of Node's HTTP server or of serverless-offline, which refuse some requests before our code runs. */
export function isOurs({ headers }: RawResponse): boolean {
  return headers.has("x-request-id");
}

/** The attacker's key server, which must receive no request. */
export async function startTrap(keySet: unknown) {
  let requests = 0;
  const server = createServer((_request, response) => {
    requests++;
    response.setHeader("content-type", "application/json").end(JSON.stringify(keySet));
  });
  return {
    url: `http://127.0.0.1:${await listen(server)}/keys.json`,
    requests: () => requests,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}
