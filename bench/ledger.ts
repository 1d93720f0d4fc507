import { seedCurrencies } from "../infra/seed.ts";
import { serveKeySet } from "../localstack/identityProvider.ts";
import { provision, resolve } from "../localstack/provision.ts";
import { template } from "../testkit/template.ts";

/** Who issues the bench's tokens, and for whom: as the local stack has it. */
export const TOKENS = { scope: undefined, issuer: "antler-local", audience: "antler" };

/** Tables, queues and a key set, for a bench that calls the functions, or the ledger, itself. */
export interface BenchLedger {
  readonly queueUrl: string;
  /** What a function has to have in its environment; this process has it too. */
  readonly environment: Readonly<Record<string, string>>;
  stop(): void;
}

/** Makes them where the environment points. */
export async function openLedger(): Promise<BenchLedger> {
  const ids = await provision(template("bench"));
  const ref = (logicalId: string) => String(resolve({ Ref: logicalId }, ids));
  await seedCurrencies(ref("CurrenciesTable"));
  const keySet = await serveKeySet();
  const environment = {
    CURRENCIES_TABLE: ref("CurrenciesTable"),
    WALLETS_TABLE: ref("WalletsTable"),
    TRANSACTIONS_TABLE: ref("TransactionsTable"),
    COMMANDS_QUEUE_URL: ref("CommandsQueue"),
    DEAD_LETTER_QUEUE_URL: ref("DeadLetterQueue"),
    JWT_JWKS_URL: keySet.url,
    JWT_ISSUER: TOKENS.issuer,
    JWT_AUDIENCE: TOKENS.audience,
  };
  Object.assign(process.env, environment);
  return { queueUrl: environment.COMMANDS_QUEUE_URL, environment, stop: () => keySet.stop() };
}
