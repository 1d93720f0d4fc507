import { expect, test } from "vitest";
import { announcement, nextSteps } from "../../infra/deployOutput.ts";

const prod = { stage: "prod", region: "eu-west-1", selfService: ["withdrawals", "transfers", "holds"] };

test("a deploy prints the movements that a user's own token may ask for", () => {
  expect(announcement([], prod)).toContain(
    "\nA user's own token may ask for: withdrawals, transfers, holds, captures, releases, refunds (stage parameter selfService)\n",
  );
  expect(announcement([], { ...prod, selfService: [] })).toContain("may ask for: captures, releases, refunds (");
});

test("the example deposit names the token that may make it", () => {
  expect(nextSteps("https://api", prod)).toContain("with the scope wallets:admin, WALLET a user's id:");
  const dev = { ...prod, selfService: ["deposits"] };
  expect(nextSteps("https://api", dev)).toContain(
    "# TOKEN is a token from your identity provider, WALLET its subject:",
  );
});
