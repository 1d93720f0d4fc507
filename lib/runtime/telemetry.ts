import { Logger } from "@aws-lambda-powertools/logger";
import { decodeMessage } from "../ledger/message.ts";
import type { ConsumerObserver } from "../ledger/ports.ts";
import type { PublishObserver } from "../ledger/publish.ts";
import { record } from "./metrics.ts";

/** Structured logs, without tokens, request bodies and amounts. `POWERTOOLS_LOG_LEVEL` sets the level. */
export const logger = new Logger();

export const consumerTelemetry: ConsumerObserver = {
  committed({ decided, referred }) {
    record("FoldSize", decided.length, {});
    for (const { message, decision, emitted } of decided) {
      const { command, requestId } = message;
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
  unsent({ id: transactionId }, error) {
    logger.warn("not sent", { transactionId, error });
  },
  deadLettered({ recordId, body }, reason, detail) {
    record("DeadLetters", 1, { reason });
    const message = decodeMessage(body);
    const ids = message && { requestId: message.requestId, transactionId: message.command.id };
    logger.error("dead-lettered", { ...ids, recordId, reason, detail });
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
