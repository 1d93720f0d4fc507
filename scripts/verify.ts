import { parseArgs } from "node:util";
import { dynamoBooks } from "../lib/aws/books.ts";
import { ports } from "../lib/aws/ports.ts";
import { formatAmount } from "../lib/domain/money.ts";
import { verify } from "../lib/ledger/verify.ts";
import { aimAt } from "./target.ts";

/** `npm run verify [-- --stage STAGE]`: exits 1 when a wallet is not what its history makes it. */
const { values } = parseArgs({ options: { stage: { type: "string", default: "local" } } });
aimAt(values.stage);

try {
  const { wallets, posted, rejected, pending, totalsMinor, differences } = await verify(dynamoBooks);
  const currencies = await ports.currencies.list();
  console.log(`${wallets} wallets, ${posted} posted, ${rejected} rejected, ${pending} pending`);
  for (const { code, exponent } of currencies) {
    const totalMinor = totalsMinor.get(code);
    if (totalMinor !== undefined) console.log(`  ${code}  ${formatAmount(totalMinor, exponent)}`);
  }
  for (const { userId, detail } of differences) console.error(`DIFFERENCE: user ${userId} ${detail}`);
  console.log(
    differences.length === 0 ? "Every wallet is the fold of its history." : `${differences.length} wallets differ.`,
  );
  process.exitCode = differences.length === 0 ? 0 : 1;
} catch (error) {
  console.error(`The ledger can't be read: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
