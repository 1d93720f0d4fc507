import { Sha256 } from "@smithy/core/checksum";
import { HttpRequest } from "@smithy/core/protocols";
import { SignatureV4 } from "@smithy/signature-v4";
import type { AwsCredentialIdentity } from "@smithy/types";
import fc from "fast-check";
import { expect, it } from "vitest";
import { createSigner } from "./signer.ts";

const KEY_ID = "AKIDEXAMPLE";
const SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/** Few, so that successive requests have the same and other ones: each change must lead to another signing key. */
const IDENTITIES: readonly AwsCredentialIdentity[] = [
  { accessKeyId: KEY_ID, secretAccessKey: SECRET },
  { accessKeyId: KEY_ID, secretAccessKey: SECRET, sessionToken: "FwoGZXIvYXdzE///+/=" },
  { accessKeyId: KEY_ID, secretAccessKey: "another secret of the same key" },
  { accessKeyId: "AKIDÜ", secretAccessKey: "ключ 🔑", sessionToken: "" },
];

/** Headers that the signer makes. `SignatureV4` replaces them in a request that has them, which no request to sign has. */
const GENERATED = new Set(["authorization", "date", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"]);

const identities = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom(...IDENTITIES) },
  {
    weight: 1,
    arbitrary: fc.record({ accessKeyId: fc.stringMatching(/^[A-Z0-9]{20}$/), secretAccessKey: fc.string() }),
  },
);

const headerNames = fc
  .oneof(
    fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}$/),
    fc.stringMatching(/^([Pp]roxy|[Ss]ec|[Xx]-[Aa]mz)-[A-Za-z-]{0,10}$/),
    fc.constantFrom(
      ...["cache-control", "Connection", "expect", "from", "keep-alive", "max-forwards", "pragma", "Referer", "te"],
      ...["trailer", "transfer-encoding", "upgrade", "User-Agent", "user-agent", "X-Amzn-Trace-Id", "x-amzn-trace-id"],
      ...["host", "content-type", "content-length", "X-Amz-Target", "amz-sdk-request", "x-amz-user-agent", "secret"],
    ),
  )
  .filter((name) => !GENERATED.has(name.toLowerCase()));

const whiteSpace = fc.stringMatching(/^[ \t\r\n]{0,4}$/);
const headerValues = fc
  .array(fc.tuple(whiteSpace, fc.string({ unit: "grapheme" }), whiteSpace), { maxLength: 3 })
  .map((parts) => parts.flat().join(""));

/** `SignatureV4` resolves `.`, `..` and empty segments, which no path of an endpoint has. */
const pathSegments = fc
  .oneof(fc.string({ minLength: 1 }), fc.string({ minLength: 1, unit: "grapheme" }))
  .filter((segment) => !segment.includes("/") && !/^\.\.?$/.test(segment));

const requests = fc.record({
  method: fc.constantFrom("POST", "GET", "PUT"),
  path: fc.oneof(
    fc.constant("/"),
    fc.array(pathSegments, { minLength: 1 }).map((parts) => `/${parts.join("/")}`),
  ),
  // Only one case of a name: a request has each header once.
  headers: fc
    .uniqueArray(fc.tuple(headerNames, headerValues), { selector: ([name]) => name.toLowerCase(), maxLength: 10 })
    .map((entries): Record<string, string> => Object.fromEntries(entries)),
  body: fc.oneof(fc.string({ unit: "binary" }), fc.json(), fc.uint8Array(), fc.constant("\ud83d, half of a character")),
});

/** Without a region or a service, the signer uses its own. */
const signings = fc.record(
  {
    signingDate: fc.oneof(
      fc.constantFrom("2026-11-23T23:59:59.999Z", "2026-11-24T00:00:00.000Z").map((time) => new Date(time)),
      fc.date({ noInvalidDate: true, min: new Date(0), max: new Date("9999-12-31T23:59:59.999Z") }),
    ),
    signingRegion: fc.constantFrom("us-east-1", "cn-north-1", "us-gov-west-1", "local"),
    signingService: fc.constantFrom("dynamodb", "sqs"),
  },
  { requiredKeys: ["signingDate"] },
);

it("signs 1,000 random requests as @smithy/signature-v4 does", async () => {
  let identity: AwsCredentialIdentity = { accessKeyId: "", secretAccessKey: "" };
  const config = { credentials: async () => identity, region: async () => "eu-central-1", service: "sqs" };
  const signer = createSigner(config);
  const reference = new SignatureV4({ ...config, sha256: Sha256 });
  const property = fc.asyncProperty(identities, requests, signings, async (next, fields, signing) => {
    identity = next;
    const request = new HttpRequest({ hostname: "localhost", ...fields });
    const sent = structuredClone(fields);
    const { headers } = await signer.sign(request, signing);
    expect(headers).toEqual((await reference.sign(request, signing)).headers);
    expect(request, "The request itself is not changed").toMatchObject(sent);
  });
  await fc.assert(property, { numRuns: 1000, seed: 20_261_123 });
});
