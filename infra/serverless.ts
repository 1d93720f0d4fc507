/** The parts of the serverless CLI that the plugins use; it ships no types of its own for them. */
export interface Serverless {
  readonly service: {
    readonly functions: Record<string, ServerlessFunction>;
    readonly resources: {
      Resources: Record<string, Resource>;
      readonly extensions: {
        readonly HttpApiStage: {
          readonly Properties: { readonly DefaultRouteSettings: { readonly ThrottlingBurstLimit: number } };
        };
      };
    };
    readonly provider: {
      readonly region: string;
      readonly environment: Readonly<Record<string, string>>;
      /** Seconds, for a function that names none. */
      readonly timeout: number;
      readonly tracing?: { readonly lambda?: boolean };
      /** What a deploy sends; there once the service is packaged. */
      readonly compiledCloudFormationTemplate?: { readonly Resources: Readonly<Record<string, Resource>> };
    };
    readonly custom: {
      /** `location`: where the bundles are, from the service's folder; there once they are built. */
      readonly "serverless-offline": { readonly location: string };
      readonly esbuild: { readonly outputFileExtension: string };
    };
  };
  readonly processedInput: { readonly commands: readonly string[] };
  /** What the CLI tells after a deploy, by title. */
  readonly serviceOutputs: ReadonlyMap<string, unknown>;
  /** The stage that the command is about. */
  getProvider(name: "aws"): { getStage(): string; getRegion(): string };
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
