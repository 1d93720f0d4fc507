import { GetQueueAttributesCommand } from "@aws-sdk/client-sqs";
import { setting } from "../config.ts";
import { Unavailable } from "../ledger/ports.ts";
import { sqs } from "./clients.ts";
import { ports } from "./ports.ts";

/** A user that can't exist: its id is not one that the API takes. */
const NOBODY = "health check";

/**
 * Touches all that a command needs: the three tables, the seed, the queue.
 *
 * @throws Unavailable naming the first part that does not answer
 */
export async function checkHealth(): Promise<void> {
  try {
    const [currencies] = await Promise.all([
      ports.currencies.list(),
      ports.store.readWallet(NOBODY),
      ports.store.findTransaction(NOBODY, NOBODY),
      sqs.send(
        new GetQueueAttributesCommand({ QueueUrl: setting("COMMANDS_QUEUE_URL"), AttributeNames: ["QueueArn"] }),
      ),
    ]);
    if (currencies.length === 0) throw new Error("The currencies table is empty");
  } catch (error) {
    throw new Unavailable("The health check failed", { cause: error });
  }
}
