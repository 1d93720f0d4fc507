import { ports } from "../lib/aws/adapters.ts";
import { dynamoLedgerReader } from "../lib/aws/ledgerReader.ts";
import { formatAmount } from "../lib/domain/money.ts";
import { verify } from "../lib/ledger/verify.ts";
import { command, Refusal } from "./command.ts";
import { printable } from "./printable.ts";
import { aimAt, stage } from "./target.ts";

const USAGE = `Usage: npm run verify [-- --stage STAGE]

Recomputes every wallet from its history and exits with 1 when one differs. With PUSHGATEWAY_URL set, the result goes to that
push gateway too, for the dashboard. Without --stage: the stack of npm start.`;

await command({ usage: USAGE, options: { stage } }, async (values) => {
  aimAt(values.stage);
  const { wallets, posted, rejected, pending, totalsMinor, discrepancies } = await verify(dynamoLedgerReader).catch(
    (error) => {
      throw new Refusal(`The ledger can't be read: ${error instanceof Error ? error.message : String(error)}`);
    },
  );
  const currencies = await ports.currencies.list();
  console.log(`${wallets} wallets, ${posted} posted, ${rejected} rejected, ${pending} pending`);
  const exponents = new Map(currencies.map(({ code, exponent }) => [code, exponent]));
  for (const [code, totalMinor] of [...totalsMinor].sort()) {
    const exponent = exponents.get(code);
    const unknown = `${totalMinor} minor units of a currency that is not in the currencies table`;
    console.log(`  ${printable(code)}  ${exponent === undefined ? unknown : formatAmount(totalMinor, exponent)}`);
  }
  for (const { userId, detail } of discrepancies) console.error(printable(`DISCREPANCY: user ${userId} ${detail}`));
  const wrong = new Set(discrepancies.map(({ userId }) => userId)).size;
  console.log(wrong === 0 ? "Every wallet is the fold of its history." : `${wrong} wallets differ.`);
  process.exitCode = discrepancies.length === 0 ? 0 : 1;
  if (process.env.PUSHGATEWAY_URL) await publish(process.env.PUSHGATEWAY_URL, wallets, discrepancies.length);
});

async function publish(gatewayUrl: string, wallets: number, discrepancies: number): Promise<void> {
  const figures = {
    antler_verify_wallets: wallets,
    antler_verify_discrepancies: discrepancies,
    antler_verify_timestamp_seconds: Math.floor(Date.now() / 1000),
  };
  const body = Object.entries(figures).map(([name, value]) => `# TYPE ${name} gauge\n${name} ${value}\n`);
  const job = new URL("/metrics/job/verify", gatewayUrl);
  try {
    const response = await fetch(job, { method: "PUT", body: body.join("") });
    if (!response.ok) throw new Error(await response.text());
  } catch (error) {
    console.error(`The push gateway did not take the result: ${String(error)}`);
  }
}
