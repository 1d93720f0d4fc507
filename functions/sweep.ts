import { ports } from "../lib/aws/adapters.ts";
import { dynamoDueIndex } from "../lib/aws/dueIndex.ts";
import { sweep } from "../lib/ledger/sweep.ts";
import { publishMetrics, record } from "../lib/runtime/metrics.ts";
import { logger } from "../lib/runtime/telemetry.ts";

/** Every minute: sends undecided credits again, and the expiries of holds whose time is over. */
export const handler = async (): Promise<void> => {
  try {
    const { failures, ...swept } = await sweep({ ...ports, due: dynamoDueIndex });
    record("OldestCredit", swept.oldestCreditSeconds, {});
    record("OldestExpiry", swept.oldestExpirySeconds, {});
    logger.info("swept", { ...swept });
    for (const { id, error } of failures) logger.error("not sent", { transactionId: id, error });
    if (failures.length > 0) throw new Error(`${failures.length} transactions could not be sent`);
  } finally {
    publishMetrics();
  }
};
