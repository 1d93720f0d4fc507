import { SendMessageCommand } from "@aws-sdk/client-sqs";
import type { PublishPorts, UnpublishedRange } from "../ledger/publish.ts";
import { setting } from "../runtime/config.ts";
import { sendMessage } from "./queue.ts";

/** The failure queue. Lambda sends to it too, see discardedBatches.ts. */
export const sqsPublishFailures: PublishPorts["failures"] = { send };

async function send(range: UnpublishedRange): Promise<void> {
  await sendMessage(
    new SendMessageCommand({ QueueUrl: setting("PUBLISH_FAILURES_QUEUE_URL"), MessageBody: JSON.stringify(range) }),
  );
}
