import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { SNSClient } from "@aws-sdk/client-sns";
import type { SQSClient } from "@aws-sdk/client-sqs";
import { AwsSdkSigV4Signer } from "@aws-sdk/core/httpAuthSchemes";
import { AwsJson1_0Protocol, AwsQueryProtocol } from "@aws-sdk/core/protocols";
import { getEndpointFromInstructions } from "@smithy/core/endpoints";
import { getRetryAfterHint, isThrottlingError, isTransientError } from "@smithy/core/retry";
import { operation } from "@smithy/core/schema";
import { toEndpointV1 } from "@smithy/core/transport";
import type {
  CommandIO,
  Endpoint,
  EndpointParameterInstructions,
  EndpointV2,
  HttpHandlerOptions,
  HttpResponse,
  MetadataBearer,
  OperationSchema,
  Provider,
  RetryErrorInfo,
  SdkError,
} from "@smithy/types";

/** What the SDK's endpoint rules read of a command's input. */
interface EndpointRules {
  getEndpointParameterInstructions(): EndpointParameterInstructions;
}

interface ResolvedEndpoint {
  readonly endpointV2: EndpointV2;
  readonly endpoint: Provider<Endpoint>;
}

export interface Transport {
  /** Sends a command of a base client; those of lib-dynamodb are made of the SDK's middleware. */
  send<Input extends object, Output extends MetadataBearer>(
    command: CommandIO<Input, Output>,
    options?: HttpHandlerOptions,
  ): Promise<Output>;
}

/**
 * Sends commands as `client.send` does, without the client's middleware stack, which takes as much CPU time as all the rest.
 * Credentials, endpoints, serialization, errors, clock skew and retries are the client's own.
 * docs/decisions/0008-calls-to-aws-without-the-middleware-stack.md says what is left out, and why.
 */
export function directTransport(
  { config }: DynamoDBClient | SQSClient | SNSClient,
  signingName: "dynamodb" | "sqs" | "sns",
): Transport {
  const { base64Decoder, base64Encoder, utf8Decoder, utf8Encoder, streamCollector } = config;
  const protocol: unknown = config.protocol;
  if (!(protocol instanceof AwsJson1_0Protocol || protocol instanceof AwsQueryProtocol))
    throw new Error(`The client of ${signingName} has another protocol`);
  const serde = { base64Decoder, base64Encoder, utf8Decoder, utf8Encoder, streamCollector };
  const scheme = new AwsSdkSigV4Signer();

  // A copy, because the rules keep what they find in the environment in it.
  const endpointConfig = { ...config };
  /** By all that the rules read of a call. */
  const endpoints = new Map<string, ResolvedEndpoint>();
  const endpointOf = async (input: object, rules: EndpointRules, accountId: string | undefined) => {
    // As in the SDK, a queue is called at its own URL.
    const queueUrl = "QueueUrl" in input && !config.isCustomEndpoint ? String(input.QueueUrl) : undefined;
    const key = queueUrl ?? JSON.stringify([accountId, contextOf(input, rules)]);
    let resolved = endpoints.get(key);
    if (!resolved) {
      const endpointV2 = queueUrl
        ? { url: new URL("/", queueUrl) }
        : await getEndpointFromInstructions(input, rules, endpointConfig);
      const v1 = toEndpointV1(endpointV2);
      resolved = { endpointV2, endpoint: async () => v1 };
      endpoints.set(key, resolved);
    }
    return resolved;
  };

  const attempt = async <Input extends object, Output extends MetadataBearer>(
    command: CommandIO<Input, Output>,
    options: HttpHandlerOptions | undefined,
  ): Promise<Output> => {
    const { input } = command;
    const { schema, rules } = describe(command);
    const credentials = await config.credentials();
    const { endpointV2, endpoint } = await endpointOf(input, rules, credentials.accountId);
    const request = await protocol.serializeRequest(schema, input, { ...serde, endpoint });
    const { hostname, port, headers, body } = request;
    headers.host = port ? `${hostname}:${port}` : hostname;
    headers["content-length"] = String(Buffer.byteLength(body));
    const { AWS_LAMBDA_FUNCTION_NAME, _X_AMZN_TRACE_ID } = process.env;
    if (AWS_LAMBDA_FUNCTION_NAME && _X_AMZN_TRACE_ID) headers["X-Amzn-Trace-Id"] = _X_AMZN_TRACE_ID;

    const [authScheme] = endpointV2.properties?.authSchemes ?? [];
    const signing = { config, signingRegion: authScheme?.signingRegion, context: { endpointV2 } };
    const signed = await scheme.sign(request, credentials, signing);
    const { response } = await config.requestHandler.handle(signed, options);
    try {
      const output = await protocol.deserializeResponse<Output>(schema, serde, response);
      scheme.successHandler(response, signing);
      return output;
    } catch (error) {
      return scheme.errorHandler(signing)(withResponse(error, response));
    }
  };

  return {
    async send(command, options) {
      const strategy = await config.retryStrategy();
      if (!("acquireInitialRetryToken" in strategy))
        throw new Error("The retry strategy is of the SDK's first version");
      let token = await strategy.acquireInitialRetryToken(signingName);
      for (;;) {
        try {
          const output = await attempt(command, options);
          strategy.recordSuccess(token);
          return output;
        } catch (error) {
          if (!isError(error)) throw error;
          // The strategy waits before it returns a token, and throws if there is to be no retry.
          const next = await strategy.refreshRetryTokenForRetry(token, retryInfo(error)).catch(() => undefined);
          if (!next) throw error;
          token = next;
        }
      }
    },
  };
}

/** @throws TypeError for a command of lib-dynamodb, which is made of the SDK's middleware */
function describe(command: object): { schema: OperationSchema; rules: EndpointRules } {
  const { constructor: commandClass } = command;
  if (!("schema" in command && Array.isArray(command.schema) && hasRules(commandClass))) {
    throw new TypeError(`${commandClass.name} is not a command of a base client`);
  }
  const [, namespace, name, traits, input, output] = command.schema;
  return { schema: operation(namespace, name, traits, input, output), rules: commandClass };
}

/** What the rules read of a command's input: the names of its tables. */
function contextOf(input: object, rules: EndpointRules): unknown[] {
  return Object.values(rules.getEndpointParameterInstructions()).map((instruction) => {
    if (instruction.type === "contextParams") return Reflect.get(input, instruction.name);
    return instruction.type === "operationContextParams" ? instruction.get(input) : undefined;
  });
}

function hasRules(commandClass: object): commandClass is EndpointRules {
  return "getEndpointParameterInstructions" in commandClass;
}

/** The SDK's classes of errors; a body that cannot be parsed has its status too, which decides about a retry. */
function withResponse(error: unknown, response: HttpResponse): Error {
  const { statusCode, headers } = response;
  const $metadata = { httpStatusCode: statusCode, requestId: headers["x-amzn-requestid"] };
  const failure = error instanceof Error ? error : new Error(String(error));
  // As in the SDK not enumerable: a log entry of the error must not have the response's body.
  return Object.defineProperty(Object.assign(failure, { $metadata, ...failure }), "$response", {
    value: response,
    enumerable: false,
  });
}

function retryInfo(error: SdkError): RetryErrorInfo {
  const errorType = isThrottlingError(error) ? "THROTTLING" : isTransientError(error) ? "TRANSIENT" : "CLIENT_ERROR";
  const retryAfterHint = getRetryAfterHint(error.$response);
  return { error, errorType, ...(retryAfterHint && { retryAfterHint }) };
}

function isError(error: unknown): error is SdkError {
  return error instanceof Error;
}
