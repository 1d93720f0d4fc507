import type { RejectionCode } from "../domain/rejection.ts";
import type { SubmissionProblem } from "../ledger/submit.ts";

type RequestProblem =
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
  | "internal_error"
  | "unavailable";

export type ProblemCode = RequestProblem | SubmissionProblem | RejectionCode;

/** The HTTP status and title of every problem. A new code does not compile without them. */
export const PROBLEMS: Record<ProblemCode, { readonly status: number; readonly title: string }> = {
  malformed_json: { status: 400, title: "The body is not valid JSON" },
  idempotency_key_required: { status: 400, title: "An Idempotency-Key header is required" },
  idempotency_key_invalid: {
    status: 400,
    title: "The Idempotency-Key must be 1 to 255 printable ASCII characters without a comma or outer spaces",
  },
  prefer_invalid: { status: 400, title: "The Prefer header has more than one wait" },
  invalid_cursor: { status: 400, title: "The cursor is not valid" },
  unauthorized: { status: 401, title: "A valid bearer token is required" },
  forbidden: { status: 403, title: "The token does not give access to this wallet" },
  not_found: { status: 404, title: "Resource not found" },
  payload_too_large: { status: 413, title: "The body is too large" },
  unsupported_media_type: { status: 415, title: "The body must be application/json in UTF-8" },
  validation_failed: { status: 422, title: "The request has fields that are missing, unknown or invalid" },
  url_not_allowed: { status: 422, title: "The URL is not one that events can be delivered to" },
  endpoint_limit: { status: 422, title: "There are 20 webhook endpoints already" },
  endpoint_disabled: { status: 422, title: "The webhook endpoint is disabled" },
  unknown_currency: { status: 422, title: "The currency is unknown or disabled" },
  amount_invalid: { status: 422, title: 'The amount is not a plain decimal such as "12.34"' },
  amount_scale: { status: 422, title: "The amount has more decimals than the currency" },
  amount_zero: { status: 422, title: "The amount is zero" },
  amount_limit: { status: 422, title: "The amount has more than 36 digits in minor units" },
  idempotency_key_reused: { status: 422, title: "The Idempotency-Key was used with different content" },
  insufficient_funds: { status: 422, title: "The available balance does not cover the amount" },
  same_currency: { status: 422, title: "An exchange needs two different currencies" },
  same_wallet: { status: 422, title: "The receiver is the wallet's own user" },
  unknown_receiver: { status: 422, title: "The receiver has no open wallet: a wallet opens with its first deposit" },
  expires_at_invalid: { status: 422, title: "expiresAt must be in the future, and at most 365 days ahead" },
  amount_not_allowed: { status: 422, title: "An exchange is reversed as a whole, without an amount" },
  wallet_closed: { status: 422, title: "The wallet is closed" },
  wallet_frozen: { status: 422, title: "The wallet is frozen" },
  hold_closed: { status: 422, title: "The hold is not open" },
  hold_expired: { status: 422, title: "The capture was requested after the hold's expiresAt" },
  capture_exceeds_hold: { status: 422, title: "The capture exceeds what remains of the hold" },
  not_reversible: { status: 422, title: "The transaction can't be reversed" },
  reversal_exceeds_original: { status: 422, title: "The reversal exceeds what remains of the original" },
  wallet_not_empty: { status: 422, title: "The wallet has balances or holds" },
  currency_limit: { status: 422, title: "The wallet would hold more than 50 currencies" },
  balance_limit: { status: 422, title: "The balance would exceed 36 digits in minor units" },
  internal_error: { status: 500, title: "Internal server error" },
  unavailable: { status: 503, title: "The service is temporarily unavailable" },
};

export interface FieldError {
  /** RFC 6901 pointer into the body. */
  readonly pointer?: string;
  /** Name of a path or query parameter. */
  readonly parameter?: string;
  readonly detail: string;
}

export interface ProblemOptions {
  readonly detail?: string;
  readonly errors?: readonly FieldError[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Further members of the problem details. */
  readonly members?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** An error with a response of its own, which the middleware of the route makes. */
export class HttpProblem extends Error {
  override readonly name = "HttpProblem";
  readonly code: ProblemCode;
  readonly options: ProblemOptions;

  constructor(code: ProblemCode, options: ProblemOptions = {}) {
    super(options.detail ?? PROBLEMS[code].title, { cause: options.cause });
    this.code = code;
    this.options = options;
  }
}
