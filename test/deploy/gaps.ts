import type { Resource } from "../../infra/serverless.ts";

/**
 * Resources of the template that the emulator does not support. Everything else is deployed, and every test of the API
 * runs.
 */
export const GAPS: readonly {
  readonly reason: string;
  leavesOut(resource: Resource): boolean;
}[] = [
  {
    reason: "it refuses alarms on an expression over several metrics",
    leavesOut: ({ Type, Properties }) => Type === "AWS::CloudWatch::Alarm" && "Metrics" in Properties,
  },
];

/**
 * The emulator starts a Node process for each concurrent request to a function. On a small machine 50 concurrent cold
 * starts take so long that the functions' own calls exceed their timeout of 1.5 s and the API answers 503.
 */
export const REQUESTS_AT_ONCE = 6;
