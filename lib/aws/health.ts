import { GetQueueAttributesCommand } from "@aws-sdk/client-sqs";
import { TransientError } from "../ledger/ports.ts";
import { setting } from "../runtime/config.ts";
import { ports } from "./adapters.ts";
import { sqs } from "./clients.ts";

/** The API accepts no user id with a space, so no such wallet exists. */
const PROBE_USER_ID = "health check";

/**
 * Reads everything that a command needs: the three tables, the seeded currencies, the queue.
 *
 * @throws TransientError whose cause names the first part that does not answer
 */
export async function checkHealth(): Promise<void> {
  try {
    const [currencies] = await Promise.all([
      ports.currencies.list(),
      ports.store.readWallet(PROBE_USER_ID),
      ports.store.findTransaction(PROBE_USER_ID, PROBE_USER_ID),
      sqs.send(
        new GetQueueAttributesCommand({ QueueUrl: setting("COMMANDS_QUEUE_URL"), AttributeNames: ["QueueArn"] }),
      ),
    ]);
    if (currencies.length === 0) throw new Error("The currencies table is empty");
  } catch (error) {
    throw new TransientError("The health check failed", { cause: error });
  }
}
