import { Logger } from "@aws-lambda-powertools/logger";
import type { ConsumerObserver } from "./ledger/ports.ts";

/** Structured logs; `POWERTOOLS_LOG_LEVEL` sets the level. No token, no request body and no amount goes in. */
export const logger = new Logger({ serviceName: "antler" });

export const consumerTelemetry: ConsumerObserver = {
  committed(decided) {
    for (const { message, decision } of decided) {
      const { command, requestId } = message;
      logger.info("decided", {
        requestId,
        transactionId: command.id,
        type: command.type,
        sequence: decision.sequence,
        status: decision.outcome.status,
        foldSize: decided.length,
      });
    }
  },
  retried(userId, reason) {
    logger.warn("retried", { userId, reason });
  },
  deadLettered({ recordId }, reason, detail) {
    logger.error("dead letter", { recordId, reason, detail });
  },
  failed(recordIds, error) {
    logger.error("delivery failed", { recordIds, error });
  },
};
