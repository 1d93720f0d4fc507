import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { inflateRawSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import * as z from "zod";
import { bundleFunctions } from "../../infra/bundle.ts";
import type { Resource } from "../../infra/serverless.ts";
import { SELF_SERVICE } from "../../lib/http/permissions.ts";
import { ATTEMPTS_MAX } from "../../lib/webhooks/deliver.ts";
import { POST_TIMEOUT_MS } from "../../lib/webhooks/post.ts";

const ROOT = join(import.meta.dirname, "../..");

const out = mkdtempSync(join(tmpdir(), "antler-package-"));
afterAll(() => rmSync(out, { recursive: true }));

/** The CloudFormation template that a deploy of the stage would send, packaged without credentials. */
function packaged(stage: string, ...options: string[]): Record<string, Resource & { DeletionPolicy?: string }> {
  const build = `.antler/package-${randomUUID()}`;
  const serverless = join(ROOT, "node_modules/serverless/bin/serverless.js");
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  // A validator of serverless.yml, which takes seconds to generate, once.
  const env = { PATH, NODE_COMPILE_CACHE, HOME: out, SLS_SCHEMA_CACHE_BASE_DIR: homedir(), ANTLER_BUILD_DIR: build };
  const args = [serverless, "package", "--stage", stage, "--package", out, ...options];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, env, encoding: "utf8" });
  try {
    if (status !== 0) throw new Error(stdout + stderr);
    return JSON.parse(readFileSync(join(out, "cloudformation-template-update-stack.json"), "utf8")).Resources;
  } finally {
    rmSync(join(ROOT, build), { recursive: true, force: true });
  }
}

test("a stage whose name is invalid is refused in one sentence", () => {
  expect(() => packaged("Bad Stage!")).toThrow(
    /^Error:\nInvalid stage name\. Stage names may contain only ASCII letters, numbers, and hyphens\.\n/,
  );
});

test("every invalid stage parameter is refused, in one sentence each", () => {
  const invalid = ["--param", "events=no", "--param", "selfService=transfers,deposit"];
  expect(() => packaged("prod", ...invalid)).toThrow(
    "The stage parameter selfService has deposit: it must be none, or some of deposits, withdrawals, transfers, holds\n" +
      "The stage parameter events is no: it must be true or false\n",
  );
});

const policies = z.tuple([
  z.object({ PolicyDocument: z.object({ Statement: z.array(z.looseObject({ Action: z.array(z.string()) })) }) }),
]);

const environment = z.object({ Variables: z.object({ SELF_SERVICE: z.string().optional() }) });

const parametersOfStages = z.object({
  params: z.record(z.string(), z.object({ webhooksAllowLoopback: z.boolean().optional() })),
});

const dashboardBody = z.object({ "Fn::Sub": z.string() });
const dashboard = z.object({
  widgets: z.array(
    z.object({ properties: z.object({ title: z.string().optional(), markdown: z.string().optional() }) }),
  ),
});

// Each takes seconds: one is a development stage and one without events.
const dev = packaged("dev", "--param", "events=false");
const prod = packaged("prod");

/** A file in an archive of the last deploy that was packaged. */
function fileInArchive(archive: string, name: string): string {
  const bytes = readFileSync(join(out, archive));
  // The name's last occurrence is in the directory at the archive's end.
  const entry = bytes.lastIndexOf(name) - 46;
  const [size, header] = [bytes.readUInt32LE(entry + 20), bytes.readUInt32LE(entry + 42)];
  const start = header + 30 + bytes.readUInt16LE(header + 26) + bytes.readUInt16LE(header + 28);
  return inflateRawSync(bytes.subarray(start, start + size)).toString();
}

test("a deploy uploads the bundles that the local stack runs", async () => {
  const bundles = await bundleFunctions(join(out, "bundles"));
  expect(bundles.length).toBeGreaterThan(10);
  for (const { name, file } of bundles) {
    expect(fileInArchive(`${name}.zip`, `functions/${name}.mjs`) === readFileSync(file, "utf8"), name).toBe(true);
  }
});

/** The names of a template's resources, without those that have a hash of the code. */
function namesIn(template: ReturnType<typeof packaged>): string[] {
  return Object.keys(template).filter((name) => template[name]?.Type !== "AWS::Lambda::Version");
}

function ofType(template: ReturnType<typeof packaged>, type: string) {
  return Object.entries(template).filter(([, resource]) => resource.Type === type);
}

describe("the template of a deploy", () => {
  test("limits the requests and the concurrency of a stage, and expires its logs", () => {
    const settings = (template: ReturnType<typeof packaged>) => ({
      api: template.HttpApiStage?.Properties.DefaultRouteSettings,
      consumers: template.ConsumeEventSourceMappingSQSCommandsQueue?.Properties.ScalingConfig,
      logDays: new Set(ofType(template, "AWS::Logs::LogGroup").map(([, { Properties }]) => Properties.RetentionInDays)),
      traced: ofType(template, "AWS::Lambda::Function").every(([, { Properties }]) => "TracingConfig" in Properties),
    });
    expect(settings(prod)).toEqual({
      api: { DetailedMetricsEnabled: true, ThrottlingRateLimit: 1000, ThrottlingBurstLimit: 2000 },
      consumers: { MaximumConcurrency: 50 },
      logDays: new Set([90]),
      traced: false,
    });
    expect(settings(dev)).toEqual({
      api: { DetailedMetricsEnabled: false, ThrottlingRateLimit: 100, ThrottlingBurstLimit: 200 },
      consumers: { MaximumConcurrency: 10 },
      logDays: new Set([7]),
      traced: true,
    });
  });

  test("opens to a user's own token some movements, and deposits only in development", () => {
    const functions = (template: ReturnType<typeof packaged>) =>
      ofType(template, "AWS::Lambda::Function").flatMap(([name, { Properties }]) => {
        const { SELF_SERVICE: names } = environment.parse(Properties.Environment).Variables;
        return names === undefined ? [] : [[name, names.split(",")]];
      });
    const withoutDeposits = SELF_SERVICE.filter((name) => name !== "deposits");
    expect(functions(prod)).toEqual([["CommandsLambdaFunction", withoutDeposits]]);
    expect(functions(dev)).toEqual([["CommandsLambdaFunction", [...SELF_SERVICE]]]);
  });

  test("protects the tables: point-in-time recovery, and no deletion outside development", () => {
    expect(ofType(prod, "AWS::DynamoDB::Table")).toHaveLength(4);
    for (const [, table] of ofType(prod, "AWS::DynamoDB::Table")) {
      expect(table.DeletionPolicy).toBe("Retain");
      expect(table.Properties).toMatchObject({
        BillingMode: "PAY_PER_REQUEST",
        DeletionProtectionEnabled: true,
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      });
    }
    for (const [, table] of ofType(dev, "AWS::DynamoDB::Table")) {
      expect(table.DeletionPolicy).toBe("Delete");
      expect(table.Properties).toMatchObject({ DeletionProtectionEnabled: false });
    }
  });

  test("gives the queue six times the consumer's timeout as visibility timeout, and every message five receives", () => {
    expect(prod.CommandsQueue?.Properties).toMatchObject({
      FifoQueue: true,
      DeduplicationScope: "messageGroup",
      FifoThroughputLimit: "perMessageGroupId",
      RedrivePolicy: { maxReceiveCount: 5 },
    });
    const timeout = Number(prod.ConsumeLambdaFunction?.Properties.Timeout);
    expect(Number(prod.CommandsQueue?.Properties.VisibilityTimeout)).toBeGreaterThanOrEqual(6 * timeout);
    expect(prod.ConsumeEventSourceMappingSQSCommandsQueue?.Properties).toMatchObject({
      BatchSize: 10,
      FunctionResponseTypes: ["ReportBatchItemFailures"],
    });
  });

  test("keeps the records of the stream for half a day of failures, and then names them in a queue with an alarm", () => {
    const mapping = prod.PublishEventSourceMappingDynamodbWalletsTable?.Properties;
    expect(prod.WalletsTable?.Properties.StreamSpecification).toEqual({ StreamViewType: "NEW_AND_OLD_IMAGES" });
    expect(mapping).toMatchObject({
      EventSourceArn: { "Fn::GetAtt": ["WalletsTable", "StreamArn"] },
      StartingPosition: "TRIM_HORIZON",
      FunctionResponseTypes: ["ReportBatchItemFailures"],
      BisectBatchOnFunctionError: true,
      MaximumRetryAttempts: -1,
      MaximumRecordAgeInSeconds: 12 * 3600,
      DestinationConfig: { OnFailure: { Destination: { "Fn::GetAtt": ["PublishFailuresQueue", "Arn"] } } },
    });
    expect(prod.EventsTopic?.Properties).toMatchObject({
      FifoTopic: true,
      FifoThroughputScope: "MessageGroup",
      ContentBasedDeduplication: false,
      KmsMasterKeyId: "alias/aws/sns",
    });
    expect(prod.PublishFailuresAlarm?.Properties).toMatchObject({
      Dimensions: [{ Name: "QueueName", Value: { "Fn::GetAtt": ["PublishFailuresQueue", "QueueName"] } }],
    });
  });

  test("gives a delivery as many receives as attempts, and its function more time than an endpoint", () => {
    const { Timeout, Environment } = prod.DeliverLambdaFunction?.Properties ?? {};
    expect(Number(Timeout) * 1000).toBeGreaterThanOrEqual(2 * POST_TIMEOUT_MS);
    // More threads than a batch has look-ups.
    expect(Environment).toMatchObject({ Variables: { WEBHOOKS_ALLOW_LOOPBACK: "false", UV_THREADPOOL_SIZE: "16" } });
    expect(prod.WebhooksQueue?.Properties).toMatchObject({
      RedrivePolicy: {
        deadLetterTargetArn: { "Fn::GetAtt": ["WebhookFailuresQueue", "Arn"] },
        maxReceiveCount: ATTEMPTS_MAX,
      },
    });
    expect(Number(prod.WebhooksQueue?.Properties.VisibilityTimeout)).toBeGreaterThanOrEqual(6 * Number(Timeout));
    expect(prod.DeliverEventSourceMappingSQSWebhooksQueue?.Properties).toMatchObject({
      BatchSize: 10,
      FunctionResponseTypes: ["ReportBatchItemFailures"],
      ScalingConfig: { MaximumConcurrency: 10 },
    });
    expect(prod.WebhookFailuresAlarm?.Properties).toMatchObject({
      Dimensions: [{ Name: "QueueName", Value: { "Fn::GetAtt": ["WebhookFailuresQueue", "QueueName"] } }],
    });
  });

  test("allows webhook endpoints on the loopback interface in no deployed stage", () => {
    const { params } = parametersOfStages.parse(
      parse(readFileSync(join(ROOT, "serverless.yml"), "utf8"), { logLevel: "error" }),
    );
    const allowing = Object.entries(params).filter(([, { webhooksAllowLoopback }]) => webhooksAllowLoopback);
    expect(allowing.map(([stage]) => stage)).toEqual(["local"]);
    expect(JSON.stringify(prod).match(/"WEBHOOKS_ALLOW_LOOPBACK":"(?!false")/g)).toBeNull();
  });

  test("has nothing of the events if their stage parameter is false", () => {
    const removed = namesIn(prod).filter((name) => !(name in dev));
    expect(removed.filter((name) => !name.startsWith("HttpApi")).sort()).toEqual([
      "DeliverErrorsAlarm",
      "DeliverEventSourceMappingSQSWebhooksQueue",
      "DeliverLambdaFunction",
      "DeliverLogGroup",
      "DeliverRole",
      "EventsTopic",
      "PublishDelayAlarm",
      "PublishEventSourceMappingDynamodbWalletsTable",
      "PublishFailuresAlarm",
      "PublishFailuresQueue",
      "PublishLambdaFunction",
      "PublishLogGroup",
      "PublishRole",
      "WebhookFailuresAlarm",
      "WebhookFailuresQueue",
      "WebhooksLambdaFunction",
      "WebhooksLambdaPermissionHttpApi",
      "WebhooksLogGroup",
      "WebhooksQueue",
      "WebhooksRole",
      "WebhooksTable",
    ]);
    const routes = removed.filter((name) => name.startsWith("HttpApi"));
    expect(routes.filter((name) => !/webhooks/i.test(name))).toEqual([]);
    expect(
      JSON.stringify(dev).match(
        /EventsTopic|PublishLambda|-publish|StreamSpecification|StreamArn|webhook|DeliverLambda|-deliver/gi,
      ),
    ).toBeNull();
    const widgets = (template: ReturnType<typeof packaged>) => {
      const { "Fn::Sub": body } = dashboardBody.parse(template.Dashboard?.Properties.DashboardBody);
      return dashboard.parse(JSON.parse(body)).widgets.map(({ properties }) => properties.title ?? properties.markdown);
    };
    expect(widgets(dev)).toEqual(widgets(prod).slice(0, widgets(dev).length));
    expect(widgets(prod).length - widgets(dev).length).toBe(10);
  });

  test("runs every function on Node 24 and arm64, under its own role with named resources", () => {
    const functions = ofType(prod, "AWS::Lambda::Function");
    expect(functions.length).toBeGreaterThan(8);
    for (const [name, { Properties }] of functions) {
      expect(Properties).toMatchObject({ Runtime: "nodejs24.x", Architectures: ["arm64"] });
      expect(Properties.Role).toEqual({ "Fn::GetAtt": [name.replace("LambdaFunction", "Role"), "Arn"] });
    }
    const traces = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"];
    // A statement for X-Ray can name no resource.
    for (const [template, expected] of [[prod, []] as const, [dev, [traces]] as const]) {
      const roles = ofType(template, "AWS::IAM::Role");
      expect(roles).toHaveLength(ofType(template, "AWS::Lambda::Function").length);
      for (const [, role] of roles) {
        const [{ PolicyDocument }] = policies.parse(role.Properties.Policies);
        const wide = PolicyDocument.Statement.filter((statement) => JSON.stringify(statement).includes("*"));
        expect(wide.map(({ Action }) => Action)).toEqual(expected);
      }
    }
  });
});
