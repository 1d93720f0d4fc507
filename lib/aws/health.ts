import { GetQueueAttributesCommand } from "@aws-sdk/client-sqs";
import { TransientError } from "../ledger/ports.ts";
import { setting } from "../runtime/config.ts";
import { ports } from "./adapters.ts";
import { sqs } from "./clients.ts";

/** A user that can't exist: its id is not one that the API takes. */
const PROBE_USER_ID = "health check";

/**
 * Touches all that a command needs: the three tables, the seed, the queue.
 *
 * @throws TransientError naming the first part that does not answer
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
