import { AntlerError, type ErrorCode, type FieldError } from "../../../packages/client/src/index.ts";

/** Why a call failed, as plain data. */
export interface Failure {
  readonly code: ErrorCode;
  /** The wrong parts of the request. */
  readonly errors: readonly FieldError[];
  /** Id of the request in the logs of the service. */
  readonly requestId: string | undefined;
}

/** @param error what a call of the client threw */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof AntlerError)) return { code: "unexpected_response", errors: [], requestId: undefined };
  const { code, errors, requestId } = error;
  return { code, errors, requestId };
}

/** What happened and what to do, by code. A new code of the client does not compile without a sentence. */
export const SENTENCES: Readonly<Record<ErrorCode, string>> = {
  wallet_closed: "The wallet is closed. An operator can reopen it.",
  wallet_frozen: "The wallet is frozen, so no money can leave it. An operator can unfreeze it.",
  hold_closed: "The hold is not open any more: it was captured, released, rejected or has expired. Make a new hold.",
  hold_expired: "The hold expired before this capture was requested. Make a new hold.",
  capture_exceeds_hold: "The amount is more than what remains of the hold. Capture less, or leave the amount empty.",
  not_reversible: "This transaction can't be reversed. Of a transfer, reverse the credit in the receiver's wallet.",
  reversal_exceeds_original: "The amount is more than what is left to reverse. Enter less, or leave the amount empty.",
  wallet_not_empty:
    "The wallet still has money or open holds. Withdraw the money and release the holds, then close it.",
  insufficient_funds: "The available balance is too small. Enter a smaller amount, or deposit money first.",
  currency_limit: "The wallet has 50 currencies already. Empty one of them first.",
  balance_limit: "The balance would have more than 36 digits. Enter a smaller amount.",
  malformed_json: "The ledger could not read the request. Reload the page and try again.",
  idempotency_key_required: "The request had no idempotency key. Reload the page and try again.",
  idempotency_key_invalid: "The idempotency key is not valid. Reload the page and try again.",
  prefer_invalid: "The ledger could not read the request. Reload the page and try again.",
  invalid_cursor: "The list has changed. Reload the page to read it from the start.",
  unauthorized: "You are not signed in any more. Sign in again; what you entered is kept.",
  forbidden: "You are not allowed to do this. Check the user id, or ask an operator.",
  not_found: "The ledger does not know this id. Check that it is complete and of this wallet.",
  payload_too_large: "The request is too large. Shorten the metadata.",
  unsupported_media_type: "The ledger could not read the request. Reload the page and try again.",
  validation_failed: "Some values are not valid. Correct them.",
  url_not_allowed: "Events can't be delivered to this URL. Use an https URL with port 443 and a public host.",
  endpoint_limit: "There are 20 webhook endpoints already. Delete one that is not used.",
  endpoint_disabled: "The endpoint is disabled. Enable it first.",
  unknown_currency: "This currency is unknown or disabled. Choose another one.",
  amount_invalid: "Enter the amount in digits with a point, such as 12.34.",
  amount_scale: "The amount has more decimals than the currency. Round it.",
  amount_zero: "The amount is zero. Enter one that is greater.",
  amount_limit: "The amount has too many digits. Enter a smaller one.",
  idempotency_key_reused:
    "This command was sent before with other content. Check the history, then fill in the form again.",
  same_currency: "Choose two different currencies.",
  same_wallet: "You can't choose the wallet's own user. Enter another user id.",
  unknown_receiver: "This user has no open wallet. Check the user id; a wallet opens with its first deposit.",
  expires_at_invalid: "The expiry must be in the future, and at most 365 days ahead.",
  amount_not_allowed: "An exchange is reversed as a whole. Leave the amount empty.",
  internal_error: "The ledger had an error. Try again in a moment; nothing is done twice.",
  unavailable: "The ledger is not available at the moment. Try again in a moment; nothing is done twice.",
  invalid_argument: "A value is not valid. Check what you entered.",
  connection_failed: "The ledger can't be reached. Check your connection and try again; nothing is done twice.",
  timeout: "The ledger has not answered in time. Try again in a moment; nothing is done twice.",
  too_many_requests: "There are too many requests at the moment. Wait a few seconds and try again.",
  unexpected_response: "Something else than the ledger answered. Check your network or proxy and try again.",
  webhook_invalid: "The webhook request has no valid signature. Check the secret.",
};

/** The name of a form field in a pointer of the API: `/sell/amount` is `sell.amount`. */
export function fieldOf({ pointer, parameter }: FieldError): string | undefined {
  const [, first, second] = pointer?.split("/") ?? [];
  if (first === undefined) return parameter;
  return first === "sell" || first === "buy" ? `${first}.${second}` : first;
}

/** True if the API has certainly not accepted the command, and the same one would fail again. */
export function isFinal(error: unknown): boolean {
  if (!(error instanceof AntlerError)) return false;
  const { code, status = 0 } = error;
  if (code === "invalid_argument") return true;
  return code !== "unexpected_response" && status >= 400 && status < 500 && status !== 401 && status !== 429;
}
