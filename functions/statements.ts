import { ports } from "../lib/aws/adapters.ts";
import { formatAmount } from "../lib/domain/money.ts";
import { csvResponse } from "../lib/http/csv.ts";
import { findCurrency } from "../lib/http/currency.ts";
import { readCursor, writeCursor } from "../lib/http/cursor.ts";
import { HttpProblem } from "../lib/http/problem.ts";
import { acceptsCsv, readQuery, readUserId, refuseFuture, refuseReversed } from "../lib/http/request.ts";
import { jsonResponse } from "../lib/http/response.ts";
import { userRoute } from "../lib/http/route.ts";
import { type StatementView, statementQuery } from "../lib/http/schemas.ts";
import { readStatement, type StatementLine } from "../lib/ledger/statement.ts";

const COLUMNS = ["decidedAt", "sequence", "id", "type", "reference", "credit", "debit", "balance"] as const;

/** GET /v1/users/{userId}/statements */
export const handler = userRoute().handler(async (event) => {
  const userId = readUserId(event);
  const query = readQuery(event, statementQuery);
  const { from, to = ports.clock.now().toISOString(), limit } = query;
  const after = readCursor(query.cursor);
  refuseFuture({ to }, ports.clock);
  refuseReversed({ from, to });
  const { code: currency, exponent } = await findCurrency(query.currency, ports.currencies);
  const statement = await readStatement(userId, { currency, from, to, after, limit }, ports);
  if (!statement) throw new HttpProblem("invalid_cursor");
  const nextCursor = statement.end ? writeCursor(statement.end) : null;
  const lines = statement.lines.map((line) => lineView(line));
  if (acceptsCsv(event))
    return csvResponse(COLUMNS, lines, nextCursor && nextPage({ ...query, to, cursor: nextCursor }));
  const view: StatementView = {
    userId,
    currency,
    from: from ?? null,
    to,
    ...(statement.isProvisional && { provisional: true }),
    opening: formatAmount(statement.openingMinor, exponent),
    credits: formatAmount(statement.creditsMinor, exponent),
    debits: formatAmount(statement.debitsMinor, exponent),
    closing: formatAmount(statement.closingMinor, exponent),
    lines,
    nextCursor,
  };
  return jsonResponse(200, view);
});

function lineView({ transaction, posting }: StatementLine): StatementView["lines"][number] {
  const { id, type, reference, decision } = transaction;
  const { exponent, amountMinor, balanceAfterMinor } = posting;
  return {
    id,
    sequence: decision.sequence,
    type,
    decidedAt: decision.decidedAt,
    reference: reference ?? null,
    credit: amountMinor > 0n ? formatAmount(amountMinor, exponent) : null,
    debit: amountMinor < 0n ? formatAmount(-amountMinor, exponent) : null,
    balance: formatAmount(balanceAfterMinor, exponent),
  };
}

/** The query of the next page, relative to the URL of this one. */
function nextPage(query: Readonly<Record<string, string | number | undefined>>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value));
  return `?${parameters}`;
}
