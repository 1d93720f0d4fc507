import { systemClock } from "../runtime/clock.ts";
import { dynamoCurrencies } from "./currencies.ts";
import { sqsQueue } from "./queue.ts";
import { dynamoStore } from "./store.ts";

/** The ledger's ports, implemented on DynamoDB and SQS. */
export const ports = {
  store: dynamoStore,
  queue: sqsQueue,
  currencies: dynamoCurrencies(systemClock),
  clock: systemClock,
};
