import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** They wait for minutes, such as for a message to be delivered again. */
const WAITING = /\/(end-to-end\/(crash|awsEndpoint|fullDisk)|integration\/metrics)\.test\.ts$/;

/** Starts the tests that mostly wait first, so that the others use the processors meanwhile. */
class WaitingFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const { waiting = [], busy = [] } = Object.groupBy(sorted, ({ moduleId }) =>
      WAITING.test(moduleId) ? "waiting" : "busy",
    );
    return [...waiting, ...busy];
  }
}

export default defineConfig({
  test: {
    env: { POWERTOOLS_LOG_LEVEL: "SILENT", POWERTOOLS_METRICS_DISABLED: "true" },
    maxWorkers: 5,
    sequence: { sequencer: WaitingFirst },
    globalSetup: "testkit/compileCache.ts",
    // Other tests use the processors at the same time.
    setupFiles: "testkit/awsTimeouts.ts",
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } },
    projects: [
      {
        test: {
          name: "unit",
          include: [
            "{console,lib,functions,localstack,scripts,testkit,packages}/**/*.test.ts",
            "test/conventions/*.test.ts",
          ],
          // A thread starts with less CPU time than a process.
          pool: "threads",
        },
      },
      {
        test: {
          name: "integration",
          include: ["test/integration/*.test.ts"],
          globalSetup: "testkit/bundles.ts",
        },
      },
      {
        test: {
          name: "integration, AWS_TRANSPORT=sdk",
          env: { AWS_TRANSPORT: "sdk" },
          // verify only reads, by calls that the others make too, and dlq has a client of its own.
          include: ["test/integration/{functions,operations.requeue,operations.sweep,store.dynoxide}.test.ts"],
        },
      },
      {
        test: {
          name: "end-to-end",
          include: ["test/end-to-end/*.test.ts"],
          globalSetup: ["testkit/bundles.ts", "testkit/sharedStack.ts"],
        },
      },
      {
        test: {
          name: "security",
          include: ["test/security/*.test.ts"],
          globalSetup: ["testkit/bundles.ts", "testkit/sharedStack.ts"],
        },
      },
      {
        test: {
          name: "console",
          include: ["test/console/*.test.ts"],
          globalSetup: ["testkit/bundles.ts", "test/console/setup.ts"],
        },
      },
      {
        test: {
          name: "simulation",
          include: ["test/simulation/*.test.ts"],
          testTimeout: 600_000,
        },
      },
    ],
  },
});
