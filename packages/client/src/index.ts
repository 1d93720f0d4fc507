export type * from "./commands.ts";
export { type Client, createClient } from "./createClient.ts";
export * from "./errors.ts";
export type * from "./event.ts";
export { formatAmount } from "./formatAmount.ts";
export type { List, Page } from "./list.ts";
export type * from "./responses.ts";
export type { Fetch, Signal } from "./runtime.ts";
export type * from "./transaction.ts";
export type { ClientOptions } from "./transport.ts";
export { type HistoryErrorCode, type HistoryResult, verifyHistory } from "./verifyHistory.ts";
export { verifyWebhook, type WebhookRequest } from "./verifyWebhook.ts";
export type {
  BalancesQuery,
  CallOptions,
  ListQuery,
  SettledOptions,
  StatementQuery,
  Submitted,
  TransactionsQuery,
  Wallet,
} from "./wallet.ts";
export type {
  Endpoint,
  EndpointBody,
  EndpointChange,
  EndpointSecret,
  NewEndpoint,
  SentTestEvent,
  WebhookEndpoints,
} from "./webhookEndpoints.ts";
