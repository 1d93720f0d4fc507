import { Logger } from "@aws-lambda-powertools/logger";
import { commandsIn, decodeMessage } from "../ledger/message.ts";
import type { ConsumerObserver } from "../ledger/ports.ts";
import type { PublishObserver } from "../ledger/publish.ts";
import type { DeliveryObserver } from "../webhooks/deliver.ts";
import { type Delivery, webhookId } from "../webhooks/delivery.ts";
import { record } from "./metrics.ts";

/** Structured logs, without tokens, request bodies and amounts. `POWERTOOLS_LOG_LEVEL` sets the level. */
export const logger = new Logger();

export const consumerTelemetry: ConsumerObserver = {
  committed({ decided, referred }) {
    record("FoldSize", decided.length, {});
    for (const { command, requestId, decision, emitted } of decided) {
      const { outcome, sequence, decidedAt } = decision;
      const { id: transactionId, type, currency = "none", createdAt } = command;
      record("Commands", 1, { type, currency, outcome: outcome.status });
      if (outcome.status === "rejected") record("Rejections", 1, { code: outcome.code });
      record("DecisionDelay", (Date.parse(decidedAt) - Date.parse(createdAt)) / 1000, {});
      if (emitted) record("EmittedCredits", 1, { source: emitted.source.type });
      logger.info("decided", { requestId, transactionId, type, sequence, ...outcome, foldSize: decided.length });
    }
    const remainders = [...decided.map(({ remainder }) => remainder), ...referred.map(({ after }) => after)];
    for (const { holdStatus = "open" } of remainders.filter((remainder) => remainder !== undefined)) {
      if (holdStatus !== "open") record("ClosedHolds", 1, { status: holdStatus });
    }
  },
  retried(_userId, retry) {
    record("Retries", 1, { cause: retry.cause });
    logger.warn("retried", { ...retry });
  },
  unsent(credits, error) {
    for (const { id: transactionId } of credits) logger.warn("not sent", { transactionId, error });
  },
  deadLettered({ recordId, body }, reason, detail) {
    record("DeadLetters", 1, { reason });
    const message = decodeMessage(body);
    const transactionIds = commandsIn(message).map(({ id }) => id);
    logger.error("dead-lettered", { requestId: message?.requestId, transactionIds, recordId, reason, detail });
  },
  failed(recordIds, error, requestIds) {
    record("FailedRecords", recordIds.length, {});
    logger.error("batch failed", { requestIds, recordIds, error });
  },
};

export const publishTelemetry: PublishObserver = {
  published({ decision }) {
    record("EventsPublished", 1, {});
    record("PublishDelay", (Date.now() - Date.parse(decision.decidedAt)) / 1000, {});
  },
  failed(_userId, recordIds, error) {
    record("FailedStreamRecords", recordIds.length, {});
    logger.error("not published", { recordIds, error });
  },
};

/** How an attempt to deliver an event ends. */
export const DELIVERY_OUTCOMES = ["delivered", "failed", "dropped", "dead_lettered"] as const;

function recordDelivery(outcome: (typeof DELIVERY_OUTCOMES)[number]): void {
  record("WebhookDeliveries", 1, { outcome });
}

/** Without event ids, which have the user's, and without what endpoints answer. */
export const deliveryTelemetry: DeliveryObserver = {
  delivered(delivery, attempt, seconds) {
    recordDelivery("delivered");
    record("WebhookDuration", seconds, {});
    logger.info("webhook delivered", { ...loggable(delivery), attempt });
  },
  failed(delivery, attempt, reason) {
    recordDelivery("failed");
    logger.warn("webhook failed", { ...loggable(delivery), attempt, reason });
  },
  dropped(delivery, reason) {
    recordDelivery("dropped");
    logger.warn("webhook dropped", { ...loggable(delivery), reason });
  },
  deadLettered({ recordId }, delivery, reason) {
    recordDelivery("dead_lettered");
    logger.error("webhook dead-lettered", { ...(delivery && loggable(delivery)), recordId, reason });
  },
  errored({ recordId }, error) {
    logger.error("webhook not processed", { recordId, error });
  },
};

function loggable(delivery: Delivery) {
  return { endpointId: delivery.endpointId, webhookId: webhookId(delivery) };
}
