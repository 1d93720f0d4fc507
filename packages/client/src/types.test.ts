import { expectTypeOf, it } from "vitest";
import type * as z from "zod/mini";
import type { RejectionCode as ApiRejectionCode } from "../../../lib/domain/rejection.ts";
import type { ProblemCode as ApiProblemCode } from "../../../lib/http/problem.ts";
import type * as api from "../../../lib/http/schemas.ts";
import type * as webhooks from "../../../lib/http/webhooks.ts";
import type { REQUEST_TYPES } from "../../../lib/ledger/submit.ts";
import type * as client from "./index.ts";

/** The client's types are those of the API's schemas. `tsc` checks this file. */

/** A type in which nothing can be changed, as all of the client's are. */
type Fixed<Type> = Type extends readonly (infer Item)[]
  ? readonly Fixed<Item>[]
  : Type extends object
    ? { readonly [Name in keyof Type]: Fixed<Type[Name]> }
    : Type;

/** What a schema returns. */
type Output<Schema extends z.ZodMiniType> = Fixed<z.output<Schema>>;

/** What a schema accepts. */
type Input<Schema extends z.ZodMiniType> = Fixed<z.input<Schema>>;

/** Without the index signature of an object that may have more members. */
type Known<Type> = { [Name in keyof Type as string extends Name ? never : Name]: Type[Name] };

it("the answers are those of the API", () => {
  expectTypeOf<Fixed<client.Transaction>>().toEqualTypeOf<Output<typeof api.transactionSchema>>();
  expectTypeOf<Fixed<client.PromisedTransaction>>().toEqualTypeOf<Output<typeof api.promisedSchema>>();
  expectTypeOf<Fixed<client.Page<client.Transaction>>>().toEqualTypeOf<Output<typeof api.historySchema>>();
  expectTypeOf<Fixed<client.Balances>>().toEqualTypeOf<Output<typeof api.balancesSchema>>();
  expectTypeOf<Fixed<client.StatementPage>>().toEqualTypeOf<Output<typeof api.statementSchema>>();
  expectTypeOf<Fixed<client.Currency>>().toEqualTypeOf<Output<typeof api.currenciesSchema>["data"][number]>();
  expectTypeOf<Fixed<client.TransactionEvent>>().toEqualTypeOf<Output<typeof api.eventSchema>>();
  expectTypeOf<Fixed<client.Endpoint>>().toEqualTypeOf<Output<typeof webhooks.endpointSchema>>();
  expectTypeOf<Fixed<client.NewEndpoint>>().toEqualTypeOf<Output<typeof webhooks.newEndpointSchema>>();
  expectTypeOf<Fixed<client.EndpointSecret>>().toEqualTypeOf<Output<typeof webhooks.rotatedSecretSchema>>();
  expectTypeOf<Fixed<client.SentTestEvent>>().toEqualTypeOf<Output<typeof webhooks.testEventSchema>>();
});

it("the codes are those of the API", () => {
  expectTypeOf<client.ProblemCode>().toEqualTypeOf<ApiProblemCode>();
  expectTypeOf<client.RejectionCode>().toEqualTypeOf<ApiRejectionCode>();
});

it("problem details and the results of a batch are those of the API, with known codes", () => {
  type ApiProblem = Known<Output<typeof api.problemSchema>>;
  expectTypeOf<Omit<Fixed<client.Problem>, "code">>().toEqualTypeOf<Omit<ApiProblem, "code">>();
  type ApiResult = Output<typeof api.batchSchema>["results"][number];
  type Accepted<Result> = Extract<Result, { readonly transaction: unknown }>;
  type Refused<Result> = Exclude<Result, { readonly transaction: unknown }>;
  expectTypeOf<Accepted<Fixed<client.BatchResult>>>().toEqualTypeOf<Accepted<ApiResult>>();
  expectTypeOf<keyof Refused<client.BatchResult>>().toEqualTypeOf<keyof Refused<ApiResult>>();
});

it("the bodies are those of the API", () => {
  expectTypeOf<Fixed<client.Details>>().toEqualTypeOf<Input<typeof api.detailsBody>>();
  expectTypeOf<Fixed<client.MovementBody>>().toEqualTypeOf<Input<typeof api.movementBody>>();
  expectTypeOf<Fixed<client.TransferBody>>().toEqualTypeOf<Input<typeof api.transferBody>>();
  expectTypeOf<Fixed<client.HoldBody>>().toEqualTypeOf<Input<typeof api.holdBody>>();
  expectTypeOf<Fixed<client.CaptureBody>>().toEqualTypeOf<Input<typeof api.captureBody>>();
  expectTypeOf<Fixed<client.ExchangeBody>>().toEqualTypeOf<Input<typeof api.exchangeBody>>();
  expectTypeOf<Fixed<client.ReversalBody>>().toEqualTypeOf<Input<typeof api.reversalBody>>();
  expectTypeOf<Fixed<client.StatusChangeBody>>().toEqualTypeOf<Input<typeof api.statusChangeBody>>();
  expectTypeOf<Fixed<client.EndpointBody>>().toEqualTypeOf<Input<typeof webhooks.endpointBody>>();
  expectTypeOf<Fixed<client.EndpointChange>>().toEqualTypeOf<Input<typeof webhooks.endpointPatch>>();
  expectTypeOf<client.BatchCommand["type"]>().toEqualTypeOf<(typeof REQUEST_TYPES)[number]>();
});

it("the queries are those of the API", () => {
  // A limit in a URL is text, which its schema reads.
  type Query<Of> = Fixed<Omit<Of, "signal" | "limit">>;
  expectTypeOf<Query<client.BalancesQuery>>().toEqualTypeOf<Input<typeof api.balancesQuery>>();
  expectTypeOf<Query<client.ListQuery>>().toEqualTypeOf<Query<z.input<typeof api.holdsQuery>>>();
  expectTypeOf<Query<client.TransactionsQuery>>().toEqualTypeOf<Query<z.input<typeof api.historyQuery>>>();
  expectTypeOf<Query<client.StatementQuery>>().toEqualTypeOf<Query<z.input<typeof api.statementQuery>>>();
});
