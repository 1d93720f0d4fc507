import { ports } from "../lib/aws/adapters.ts";
import { dynamoDueIndex } from "../lib/aws/dueIndex.ts";
import { sweep } from "../lib/ledger/sweep.ts";
import { command } from "./command.ts";
import { printable } from "./printable.ts";
import { stage, useStageWithQueues } from "./target.ts";

const USAGE = `Usage: npm run sweep [-- --stage STAGE]

Sends undecided credits of other wallets again, and the expiries of holds whose time is over, as the ledger does every minute by
itself. Without --stage, it uses the stack of npm start.`;

export default await command(
  { usage: USAGE, options: { stage } },
  async (values) => {
    await useStageWithQueues(values.stage);
    const { credits, expiries, failures } = await sweep({ ...ports, due: dynamoDueIndex });
    console.log(`Sent again: ${credits} credits, ${expiries} expiries`);
    for (const { userId, id, error } of failures) {
      console.error(printable(`Not sent, of user ${userId}: ${id} (${String(error)})`));
    }
    if (failures.length > 0) process.exitCode = 1;
  },
  import.meta.main,
);
