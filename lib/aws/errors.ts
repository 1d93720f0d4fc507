import { TransientError } from "../ledger/ports.ts";

/** Errors that depend on the moment and not on the request, so that a retry can succeed. */
const TRANSIENT_CODES = new Set([
  "ThrottlingException",
  "ThrottlingError",
  "Throttling",
  "RequestThrottled",
  "RequestLimitExceeded",
  "ProvisionedThroughputExceededException",
  "ProvisionedThroughputExceeded",
  "TransactionConflictException",
  "TransactionConflict",
  "TransactionInProgressException",
  "InternalServerError",
  "InternalFailure",
  "ServiceUnavailable",
  "TimeoutError",
  "AbortError",
]);

/** True for the name of an error, or the code of a cancellation reason, that a retry can resolve. */
export function isTransient(code: string | undefined): boolean {
  return code !== undefined && TRANSIENT_CODES.has(code);
}

/**
 * Calls a service, and turns transient errors into {@link TransientError}.
 *
 * @throws TransientError on a throttle, a timeout, a refused or broken connection, a 5xx
 */
export async function withTransientErrors<T>(what: string, send: () => Promise<T>): Promise<T> {
  try {
    return await send();
  } catch (error) {
    if (error instanceof Error && (isTransient(error.name) || isServerFault(error) || isConnectionFault(error))) {
      throw new TransientError(`${what}: ${error.name} ${error.message}`, { cause: error });
    }
    throw error;
  }
}

function isServerFault(error: Error): boolean {
  const metadata = "$metadata" in error ? error.$metadata : undefined;
  const status =
    typeof metadata === "object" && metadata !== null && "httpStatusCode" in metadata ? metadata.httpStatusCode : 0;
  return typeof status === "number" && status >= 500;
}

/** Node's socket and name look-up errors carry a code such as ECONNREFUSED. */
function isConnectionFault(error: Error): boolean {
  return "code" in error && typeof error.code === "string" && /^E[A-Z_]+$/.test(error.code);
}
