import { awsEnvironment, readSettings } from "../localstack/settings.ts";

/**
 * Points the ledger's adapters at a stage: `local` is the stack of `npm start` on this machine, found by its ports; any
 * other is a deployed one, found by the usual AWS environment.
 */
export function aimAt(stage: string): void {
  if (stage === "local") Object.assign(process.env, awsEnvironment(readSettings(process.env)));
  process.env.WALLETS_TABLE = `antler-${stage}-wallets`;
  process.env.TRANSACTIONS_TABLE = `antler-${stage}-transactions`;
  process.env.CURRENCIES_TABLE = `antler-${stage}-currencies`;
}
