import { spawnSync } from "node:child_process";
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");

const FORBIDDEN_IMPORTS = [
  ["lib/domain", "@aws-sdk/client-sqs"],
  ["lib/domain", "node:crypto"],
  ["lib/domain", "zod"],
  ["lib/domain", "../ledger/ports.ts"],
  ["lib/domain", "../aws/store.ts"],
  ["lib/domain/movements", "node:crypto"],
  ["lib/domain/movements", "../../ledger/ports.ts"],
  ["lib/ledger", "@aws-sdk/lib-dynamodb"],
  ["lib/ledger", "../aws/store.ts"],
  ["lib/ledger", "../http/route.ts"],
  ["lib/ledger", "../runtime/config.ts"],
  ["lib/ledger", "../webhooks/deliver.ts"],
  ["lib/webhooks", "@aws-sdk/client-sqs"],
  ["lib/webhooks", "../aws/endpoints.ts"],
  ["lib/webhooks", "../http/route.ts"],
  ["lib/webhooks", "../runtime/config.ts"],
  ["lib/webhooks", "../../testkit/webhooks.ts"],
  ["lib/aws", "../http/route.ts"],
  ["lib/aws", "../../localstack/engines.ts"],
  ["lib/http", "../aws/store.ts"],
  ["lib/http", "@aws-sdk/client-sqs"],
  ["lib/http/commands", "../../aws/store.ts"],
  ["functions", "../localstack/engines.ts"],
  ["functions", "fauxqs"],
  ["functions", "../testkit/events.ts"],
  ["packages/client/src", "zod"],
  ["packages/client/src", "node:crypto"],
  ["packages/client/src", "../../../lib/http/schemas.ts"],
  ["packages/cli/src", "../../../lib/aws/store.ts"],
  ["packages/cli/src", "../../../lib/http/schemas.ts"],
  ["packages/cli/src", "@aws-sdk/client-sqs"],
  ["console/src", "node:crypto"],
  ["console/src", "zod"],
  ["console/src", "../../lib/http/schemas.ts"],
  ["console/src/pages", "../../../lib/http/schemas.ts"],
  ["lib/domain", "../../testkit/events.ts"],
  ["lib/ledger", "../../testkit/inMemoryPorts.ts"],
  ["lib/aws", "../../testkit/engines.ts"],
  ["lib/http", "../../testkit/events.ts"],
  ["lib/runtime", "../../testkit/metrics.ts"],
] as const;

const ALLOWED_IMPORTS = [
  ["lib/domain", "./money.ts"],
  ["lib/domain/movements", "../money.ts"],
  ["lib/ledger", "../domain/money.ts"],
  ["lib/webhooks", "../ledger/ports.ts"],
  ["lib/webhooks", "node:https"],
  ["lib/webhooks", "ipaddr.js"],
  ["lib/aws", "../ledger/ports.ts"],
  ["lib/aws", "../webhooks/deliver.ts"],
  ["lib/aws", "@aws-sdk/client-sqs"],
  ["functions", "../lib/aws/adapters.ts"],
  ["packages/client/src", "./errors.ts"],
  ["packages/cli/src", "../../client/src/index.ts"],
  ["packages/cli/src", "../../../scripts/command.ts"],
  ["console/src", "preact/hooks"],
  ["console/src", "../config.ts"],
  ["console/src/pages", "../../../packages/client/src/index.ts"],
] as const;

const FORBIDDEN_USES = ["new Date()", "Math.random()", "Number(1n)", "process.env", 'fetch("")'] as const;

/** Every source that sends requests, and to whom. All others call the API through `packages/client`. */
const SENDERS: Readonly<Record<string, string>> = {
  "packages/client/src/transport.ts": "the API",
  "bench/client.ts": "the API: raw, to use little CPU time",
  "testkit/rawClient.ts": "the API: raw, to send what the client never sends",
  "testkit/client.ts": "the API: the client's own fetch",
  "bench/stack.ts": "the page of the queues",
  "console/src/api.ts": "the API: the client's own fetch",
  "console/src/config.ts": "the console's function",
  "lib/aws/transport/httpHandler.ts": "AWS",
  "lib/webhooks/post.ts": "webhook endpoints",
  "localstack/concurrencyLimiter.test.ts": "a server of the test",
  "localstack/openid/provider.test.ts": "the local identity provider",
  "localstack/queueStats.ts": "the page of the queues",
  "localstack/tcp.ts": "services that start",
  "packages/cli/src/oidc.test.ts": "the OpenID provider of the test",
  "scripts/listen.ts": "the receiver of --forward-to",
  "scripts/verify.ts": "the push gateway",
  "test/console/window.ts": "the console's function",
  "test/deploy/emulator.ts": "the emulator",
  "test/end-to-end/console.test.ts": "the console's function and the local identity provider",
  "test/end-to-end/stack.test.ts": "the metrics",
  "test/end-to-end/webhooks.test.ts": "the receiver of the guide",
  "test/integration/metrics.prometheus.test.ts": "Prometheus and its push gateway",
  "test/integration/sqs-engine.test.ts": "the SQS of the local stack",
  "test/integration/transport.errors.test.ts": "a fake AWS",
  "testkit/awsProxy.ts": "the AWS of a local stack",
  "testkit/metrics.ts": "the metrics",
};
const SENDS =
  /(?:await|return|=>|=|\() ?fetch\(|\bhttps?\.(?:request|get)\b|\{[^}]*(?<!type )\b(?:request|get|connect)\b[^}]*\} from "node:(?:http|https|http2|net|tls)"/;

const importing = (target: string) => `import * as imported from "${target}";\n\nexport const used = imported;\n`;

/** A copy of our folders with our Biome configuration. Each file in it has one import or one use to check. */
const tree = mkdtempSync(join(tmpdir(), "antler-fence-"));
const rulesByFile = new Map<string, string[]>();

beforeAll(() => {
  const config = JSON.parse(readFileSync(join(ROOT, "biome.json"), "utf8"));
  write("biome.json", JSON.stringify({ ...config, $schema: undefined, vcs: { enabled: false } }));
  for (const [folder, target] of [...FORBIDDEN_IMPORTS, ...ALLOWED_IMPORTS])
    write(fileOf(folder, target), importing(target));
  for (const use of FORBIDDEN_USES) write(fileOf("lib/domain", use), `export const used = () => ${use};\n`);

  const biome = join(ROOT, "node_modules/.bin/biome");
  const args = ["lint", "--reporter=json", "--max-diagnostics=none"];
  const { stdout } = spawnSync(biome, args, { cwd: tree, encoding: "utf8" });
  for (const { category, location } of JSON.parse(stdout).diagnostics) {
    const file: string = location.path.file ?? location.path;
    rulesByFile.set(file, [...(rulesByFile.get(file) ?? []), category]);
  }
});

afterAll(() => rmSync(tree, { recursive: true }));

function fileOf(folder: string, subject: string): string {
  return `${folder}/${subject.replaceAll(/\W/g, "_")}.ts`;
}

function write(file: string, content: string): void {
  mkdirSync(dirname(join(tree, file)), { recursive: true });
  writeFileSync(join(tree, file), content);
}

describe("the import fence", () => {
  test.each(FORBIDDEN_IMPORTS)("refuses in %s an import of %s", (folder, target) => {
    expect(rulesByFile.get(fileOf(folder, target))).toContain("lint/style/noRestrictedImports");
  });

  test.each(FORBIDDEN_USES)("refuses in lib/domain the use of %s", (use) => {
    expect(rulesByFile.get(fileOf("lib/domain", use))).toContain("lint/style/noRestrictedGlobals");
  });

  test.each(ALLOWED_IMPORTS)("allows in %s an import of %s", (folder, target) => {
    expect(rulesByFile.get(fileOf(folder, target))).toBeUndefined();
  });
});

test("only the client, and two raw clients, send requests to the API", () => {
  const sources = globSync("**/*.{ts,mts,tsx}", {
    cwd: ROOT,
    exclude: (name) => /^(?:node_modules|\..+|dist)$/.test(name),
  });
  const senders = sources.filter((file) => SENDS.test(readFileSync(join(ROOT, file), "utf8")));
  expect(senders.sort()).toEqual(Object.keys(SENDERS).sort());
});
