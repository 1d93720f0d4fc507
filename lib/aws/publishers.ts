import type { EventPublisher } from "../ledger/ports.ts";
import { webhookPublisher } from "../webhooks/publish.ts";
import { sqsDeliverySender } from "./deliveries.ts";
import { cachedEndpoints } from "./endpoints.ts";
import { snsTopic } from "./topic.ts";

/** All that get each event. */
export const publishers: EventPublisher[] = [snsTopic, webhookPublisher(cachedEndpoints(), sqsDeliverySender)];
