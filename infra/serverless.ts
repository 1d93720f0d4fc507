/** The parts of the serverless CLI that the plugins use. The CLI has no types for them. */
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
      /** Seconds, for a function without its own timeout. */
      readonly timeout: number;
      readonly tracing?: { readonly lambda?: boolean };
      /** Exists once the service is packaged. */
      readonly compiledCloudFormationTemplate?: { readonly Resources: Readonly<Record<string, Resource>> };
    };
    readonly custom: {
      readonly events: {
        /** Text if it is from the command line. */
        readonly isOn: unknown;
        /** By logical id, of each file. */
        readonly resources: readonly Readonly<Record<string, Resource>>[];
      };
      /** `location`: folder of the bundles, relative to the repository. */
      readonly "serverless-offline": { location?: string };
      readonly esbuild: { readonly outputFileExtension: string };
    };
  };
  readonly processedInput: { readonly commands: readonly string[] };
  /** What the CLI prints after a deploy, by title. */
  readonly serviceOutputs: ReadonlyMap<string, unknown>;
  getProvider(name: "aws"): { getStage(): string; getRegion(): string };
  readonly configSchemaHandler: {
    defineFunctionProperties(provider: string, schema: object): void;
    validateConfig(userConfig: unknown): Promise<void>;
  };
}

export interface ServerlessFunction {
  handler: string;
  name: string;
  role?: string;
  timeout?: number;
  environment?: Record<string, unknown>;
  iamRoleStatements?: readonly object[];
  events: readonly { readonly sqs?: SqsEvent; readonly stream?: StreamEvent }[];
}

export interface SqsEvent {
  readonly arn: unknown;
  readonly batchSize: number;
  readonly maximumConcurrency: number;
}

/** Of a DynamoDB table. */
export interface StreamEvent {
  readonly arn: unknown;
  readonly batchSize: number;
  readonly bisectBatchOnFunctionError: boolean;
  /** -1: no limit. */
  readonly maximumRetryAttempts: number;
  /** -1: no limit. */
  readonly maximumRecordAgeInSeconds: number;
  readonly destinations: { readonly onFailure: { readonly arn: unknown } };
}

export interface Resource {
  readonly Type: string;
  readonly Properties: Record<string, unknown>;
}
