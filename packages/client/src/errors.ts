/** Why the ledger rejected a command. A rejection is an outcome of the command, not an error. */
export type RejectionCode =
  | "wallet_closed"
  | "wallet_frozen"
  | "hold_closed"
  | "hold_expired"
  | "capture_exceeds_hold"
  | "not_reversible"
  | "reversal_exceeds_original"
  | "wallet_not_empty"
  | "insufficient_funds"
  | "currency_limit"
  | "balance_limit";

/** The `code` of the API's problem details. */
export type ProblemCode =
  | RejectionCode
  | "malformed_json"
  | "idempotency_key_required"
  | "idempotency_key_invalid"
  | "prefer_invalid"
  | "invalid_cursor"
  | "unauthorized"
  | "forbidden"
  | "not_found"
  | "payload_too_large"
  | "unsupported_media_type"
  | "validation_failed"
  | "url_not_allowed"
  | "endpoint_limit"
  | "endpoint_disabled"
  | "unknown_currency"
  | "amount_invalid"
  | "amount_scale"
  | "amount_zero"
  | "amount_limit"
  | "idempotency_key_reused"
  | "same_currency"
  | "same_wallet"
  | "unknown_receiver"
  | "expires_at_invalid"
  | "amount_not_allowed"
  | "internal_error"
  | "unavailable";

/** The codes of errors that the client finds itself. */
export type ClientErrorCode =
  /** An argument is not valid. Nothing was sent. */
  | "invalid_argument"
  /** No answer arrived: the connection failed or broke. */
  | "connection_failed"
  /** No answer arrived within the time limit. */
  | "timeout"
  /** API Gateway throttles the requests. */
  | "too_many_requests"
  /** The answer is not one of the API, such as an error page of a proxy. */
  | "unexpected_response"
  /** A webhook request has no valid signature, or is too old. */
  | "webhook_invalid";

export type ErrorCode = ProblemCode | ClientErrorCode;

/** Which part of a request is wrong. */
export interface FieldError {
  /** RFC 6901 pointer into the body. */
  readonly pointer?: string | undefined;
  /** Name of a path or query parameter. */
  readonly parameter?: string | undefined;
  readonly detail: string;
}

interface ErrorDetails {
  readonly status?: number | undefined;
  readonly requestId?: string | undefined;
  readonly errors?: readonly FieldError[] | undefined;
  readonly replayed?: boolean | undefined;
  readonly cause?: unknown;
}

/**
 * Every error of this package. An aborted call is none: it throws the `reason` of its signal.
 *
 * @example
 * ```ts
 * try {
 *   await wallet.transfer({ to: "bob", currency: "USD", amount: "5.00", idempotencyKey: "rent-5" });
 * } catch (error) {
 *   if (error instanceof AntlerError && error.code === "unknown_receiver") console.log("bob has no wallet");
 *   else throw error;
 * }
 * ```
 */
export class AntlerError extends Error {
  override readonly name = "AntlerError";
  readonly code: ErrorCode;
  /** HTTP status; absent if there was no answer. */
  readonly status: number | undefined;
  /** Id of the request in the logs of the service. */
  readonly requestId: string | undefined;
  /** The wrong parts of the request. Empty unless the API names some. */
  readonly errors: readonly FieldError[];
  /** True if the API knew the idempotency key of the command from an earlier request. */
  readonly replayed: boolean;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details);
    this.code = code;
    this.status = details.status;
    this.requestId = details.requestId;
    this.errors = details.errors ?? [];
    this.replayed = details.replayed ?? false;
  }
}
