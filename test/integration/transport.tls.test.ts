import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { GetItemCommand } from "@aws-sdk/client-dynamodb";
import { describe, expect, it, onTestFinished } from "vitest";
import { fakeAwsForTest } from "../../testkit/fakeAws.ts";
import { listenForTest } from "../../testkit/perTest.ts";
import { dynamoForTest, TRANSPORTS } from "../../testkit/transports.ts";

const FOLDER = join(import.meta.dirname, "../../testkit/tls");
/** Of a server on 127.0.0.1, signed by itself, valid until 2100. Nothing but these tests trusts it. */
const certificate = {
  key: readFileSync(join(FOLDER, "key.pem"), "utf8"),
  cert: readFileSync(join(FOLDER, "certificate.pem"), "utf8"),
};

const get = () => new GetItemCommand({ TableName: "wallets", Key: { userId: { S: "Zoë" } } });

function trustForTest(): void {
  const trusted = getCACertificates("default");
  setDefaultCACertificates([...trusted, certificate.cert]);
  onTestFinished(() => setDefaultCACertificates(trusted));
}

describe.each(TRANSPORTS)("AWS_TRANSPORT=%s over TLS", (name) => {
  it("calls a server with a trusted certificate, over one connection", async () => {
    trustForTest();
    const { url: endpoint, requests } = await fakeAwsForTest({ tls: certificate });
    const { transport } = dynamoForTest(name, { endpoint });
    for (let call = 0; call < 2; call++) await transport.send(get());
    expect(endpoint).toMatch("https://");
    expect(requests.map(({ connection }) => connection)).toEqual([0, 0]);
  });

  it("refuses a certificate that is not trusted", async () => {
    const { url: endpoint, requests } = await fakeAwsForTest({ tls: certificate });
    const { transport } = dynamoForTest(name, { endpoint });
    await expect(transport.send(get())).rejects.toMatchObject({ name: "Error", code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
    expect(requests).toEqual([]);
  });
});

it("The direct transport's limit of a connection includes the TLS handshake, as the SDK's does not", async () => {
  const port = await listenForTest(createServer());
  const timeouts = { connectMs: 100, requestMs: 10_000 };
  const { transport } = dynamoForTest("direct", { endpoint: `https://127.0.0.1:${port}`, maxAttempts: 1 }, timeouts);
  await expect(transport.send(get())).rejects.toMatchObject({
    ...{ name: "TimeoutError", message: "The connection was not established within 100 ms" },
  });
});
