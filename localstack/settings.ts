import { isIPv6 } from "node:net";
import * as z from "zod";

/** An invalid setting, or one that can't be used here: the command prints only the message. */
export class SettingError extends Error {
  override readonly name = "SettingError";
}

const port = z.coerce.number("must be a port number").int().min(1).max(65535);
const host = z
  .string()
  .refine((value) => URL.canParse(`http://${bracketed(value)}`), "must be an IP address or a host name")
  .default("127.0.0.1");

/** The local stack's settings: environment variables, all optional. */
const schema = z
  .object({
    API_PORT: port.default(4000),
    /** Address that the API listens on. SQS, SNS, DynamoDB and the identity provider listen on the loopback interface only. */
    API_HOST: host,
    /** Of the embedded SQS and SNS. */
    AWS_PORT: port.default(4566),
    /** Of the embedded DynamoDB; AWS_PORT + 1 by default. */
    DYNAMODB_PORT: port.optional(),
    /** Of the metrics for Prometheus. */
    METRICS_PORT: port.default(9464),
    METRICS_HOST: host,
    DYNAMODB_ENGINE: z.enum(["dynoxide", "dynamodb-local"]).optional(),
    /** Folder for the tables, queues and topics; without it they are deleted at the end. */
    DATA_DIR: z.string().min(1).optional(),
    /** An external SQS, SNS and DynamoDB, such as LocalStack, in place of the embedded ones. */
    AWS_ENDPOINT_URL: z.url().optional(),
    AWS_REGION: z.string().min(1).default("us-east-1"),
    /** `sdk` sends with the SDK's own middleware: see lib/aws/transport/. */
    AWS_TRANSPORT: z.enum(["direct", "sdk"]).default("direct"),
    /** Whether decisions are published to the topic and to webhook endpoints. */
    EVENTS: z.enum(["true", "false"]).default("true"),
    JWT_JWKS_URL: z.url().optional(),
    JWT_ISSUER: z.string().min(1).default("antler-local"),
    JWT_AUDIENCE: z.string().min(1).default("antler"),
    LOG_LEVEL: z
      .string()
      .toUpperCase()
      .pipe(z.enum(["DEBUG", "INFO", "WARN", "ERROR"]))
      .default("WARN"),
  })
  .refine(({ AWS_PORT, DYNAMODB_PORT }) => DYNAMODB_PORT !== undefined || AWS_PORT < 65535, {
    path: ["AWS_PORT"],
    message: "leaves no port for DynamoDB, which is at AWS_PORT + 1 unless DYNAMODB_PORT is set",
  })
  .transform((settings) => ({ ...settings, DYNAMODB_PORT: settings.DYNAMODB_PORT ?? settings.AWS_PORT + 1 }));

export type Settings = z.output<typeof schema>;

/** @throws SettingError about the first invalid setting; an empty variable is ignored */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  return readEnvironment(schema, environment);
}

/** As {@link readSettings}, for any schema. */
export function readEnvironment<Schema extends z.ZodType>(
  settings: Schema,
  environment: NodeJS.ProcessEnv,
): z.output<Schema> {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ""));
  const parsed = settings.safeParse(given);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const name = issue?.path.join(".") ?? "";
  throw new SettingError(`${name}=${given[name] ?? ""}: ${issue?.message ?? "is invalid"}`);
}

/** The AWS SDK's variables for the local stack's SQS, SNS and DynamoDB, with credentials that are valid nowhere else. */
export function awsEnvironment(settings: Settings): Record<string, string> {
  const { AWS_ENDPOINT_URL, AWS_PORT, DYNAMODB_PORT, AWS_REGION } = settings;
  return {
    AWS_ENDPOINT_URL_SQS: AWS_ENDPOINT_URL ?? `http://127.0.0.1:${AWS_PORT}`,
    AWS_ENDPOINT_URL_SNS: AWS_ENDPOINT_URL ?? `http://127.0.0.1:${AWS_PORT}`,
    AWS_ENDPOINT_URL_DYNAMODB: AWS_ENDPOINT_URL ?? `http://127.0.0.1:${DYNAMODB_PORT}`,
    AWS_ENDPOINT_URL_DYNAMODB_STREAMS: AWS_ENDPOINT_URL ?? `http://127.0.0.1:${DYNAMODB_PORT}`,
    AWS_REGION,
    AWS_ACCESS_KEY_ID: "local",
    AWS_SECRET_ACCESS_KEY: "local",
    AWS_SESSION_TOKEN: "",
    AWS_PROFILE: "",
  };
}

/** The host for a URL of a server on this machine that listens on the address. */
export function hostInUrl(address: string): string {
  const { hostname } = new URL(`http://${bracketed(address)}`);
  return { "0.0.0.0": "127.0.0.1", "[::]": "[::1]" }[hostname] ?? hostname;
}

/** True for an address that only this machine reaches. */
export function isLoopback(address: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(`http://${bracketed(address)}`).hostname);
}

function bracketed(address: string): string {
  return isIPv6(address) ? `[${address}]` : address;
}

/**
 * The value of `no_proxy` that excludes the stack's own servers from the environment's proxies. Node reads this spelling
 * first.
 */
export function withoutProxy({ API_HOST, AWS_ENDPOINT_URL }: Settings, environment: NodeJS.ProcessEnv): string {
  const given = environment.no_proxy ?? environment.NO_PROXY;
  // `*` excludes every host, but not as an item of a list.
  if (given === "*") return given;
  const own = ["127.0.0.1", hostInUrl(API_HOST), ...(AWS_ENDPOINT_URL ? [new URL(AWS_ENDPOINT_URL).hostname] : [])];
  return [...new Set([...(given ? [given] : []), ...own])].join(",");
}
