import { systemClock } from "../runtime/clock.ts";
import { dynamoCurrencies } from "./currencies.ts";
import { sqsQueue } from "./queue.ts";
import { dynamoStore } from "./store.ts";

/** The ledger's ports on DynamoDB and SQS, for every function. */
export const ports = {
  store: dynamoStore,
  queue: sqsQueue,
  currencies: dynamoCurrencies(systemClock),
  clock: systemClock,
};
