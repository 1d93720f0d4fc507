import type { Resource } from "../../infra/serverless.ts";

/**
 * What the emulator can't do and a deploy asks for. Everything else of the template is deployed, and every test of the
 * API runs. Its slowness is no gap but is spared: see {@link REQUESTS_AT_ONCE}.
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
 * The emulator starts a Node process for each request at once that a function gets: 50 cold starts at once take so long on
 * a small machine that the functions' own calls run into their 1.5 s and the API answers 503, as it should.
 */
export const REQUESTS_AT_ONCE = 6;
