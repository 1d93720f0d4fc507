/** The parts of the serverless CLI that the plugins use; it ships no types of its own for them. */
export interface Serverless {
  readonly service: {
    readonly functions: Record<string, ServerlessFunction>;
    readonly resources: { Resources: Record<string, Resource> };
    readonly provider: { readonly region: string };
    readonly custom: { readonly "serverless-offline": object };
  };
  readonly configSchemaHandler: { defineFunctionProperties(provider: string, schema: object): void };
}

export interface ServerlessFunction {
  handler: string;
  name: string;
  role?: string;
  timeout?: number;
  environment?: Record<string, unknown>;
  iamRoleStatements?: readonly object[];
  events: readonly { readonly sqs?: SqsEvent }[];
}

export interface SqsEvent {
  readonly arn: unknown;
  readonly batchSize: number;
  readonly maximumConcurrency: number;
}

export interface Resource {
  readonly Type: string;
  readonly Properties: Record<string, unknown>;
}
