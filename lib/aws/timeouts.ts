/**
 * Limits of every call. Two attempts of 1.5 s end well within the consumer's timeout; the ledger's own retries, the
 * queue's redelivery or the client's retry cover longer failures.
 */
export const TIMEOUTS = { connectMs: 1000, requestMs: 1500 };
