import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { Resource } from "../../infra/serverless.ts";

const ROOT = join(import.meta.dirname, "../..");

/** The CloudFormation that a deploy of the stage would send, made as a deploy makes it, with no credentials. */
function packaged(stage: string): Record<string, Resource & { DeletionPolicy?: string }> {
  const out = mkdtempSync(join(tmpdir(), "antler-package-"));
  const build = `.antler/package-${randomUUID()}`;
  const serverless = join(ROOT, "node_modules/serverless/bin/serverless.js");
  const { status, stderr } = spawnSync(process.execPath, [serverless, "package", "--stage", stage, "--package", out], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, HOME: out, ANTLER_BUILD_DIR: build },
    encoding: "utf8",
  });
  try {
    if (status !== 0) throw new Error(stderr);
    return JSON.parse(readFileSync(join(out, "cloudformation-template-update-stack.json"), "utf8")).Resources;
  } finally {
    for (const folder of [out, join(ROOT, build)]) rmSync(folder, { recursive: true, force: true });
  }
}

let prod: ReturnType<typeof packaged>;
let dev: ReturnType<typeof packaged>;

beforeAll(() => {
  prod = packaged("prod");
  dev = packaged("dev");
}, 120_000);

function ofType(template: ReturnType<typeof packaged>, type: string) {
  return Object.entries(template).filter(([, resource]) => resource.Type === type);
}

describe("the template of a deploy", () => {
  test("keeps what is in the tables: recovery to any point in time, and no deletion outside development", () => {
    expect(ofType(prod, "AWS::DynamoDB::Table")).toHaveLength(3);
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

  test("gives the consumer the time that the queue's visibility timeout allows for, and every command five tries", () => {
    expect(prod.CommandsQueue?.Properties).toMatchObject({
      FifoQueue: true,
      DeduplicationScope: "messageGroup",
      FifoThroughputLimit: "perMessageGroupId",
      RedrivePolicy: { maxReceiveCount: 5 },
    });
    const timeout = Number(prod.ConsumeLambdaFunction?.Properties.Timeout);
    expect(Number(prod.CommandsQueue?.Properties.VisibilityTimeout)).toBeGreaterThanOrEqual(6 * timeout);
    const [[, mapping] = []] = ofType(prod, "AWS::Lambda::EventSourceMapping");
    expect(mapping?.Properties).toMatchObject({ BatchSize: 10, FunctionResponseTypes: ["ReportBatchItemFailures"] });
  });

  test("runs every function on Node 24 and arm64, under a role of its own that names what it may touch", () => {
    const functions = ofType(prod, "AWS::Lambda::Function");
    expect(functions.length).toBeGreaterThan(8);
    for (const [name, { Properties }] of functions) {
      expect(Properties).toMatchObject({ Runtime: "nodejs24.x", Architectures: ["arm64"] });
      expect(Properties.Role).toEqual({ "Fn::GetAtt": [name.replace("LambdaFunction", "Role"), "Arn"] });
    }
    const roles = ofType(prod, "AWS::IAM::Role");
    expect(roles).toHaveLength(functions.length);
    for (const [, role] of roles) expect(JSON.stringify(role)).not.toContain("*");
  });
});
