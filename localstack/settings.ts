import { isIPv6 } from "node:net";
import * as z from "zod";

/** A setting that can't be used; its message is all that a person needs. */
export class SettingError extends Error {
  override readonly name = "SettingError";
}

const port = z.coerce.number("must be a port number").int().min(1).max(65535);
const host = z
  .string()
  .refine((value) => URL.canParse(`http://${bracketed(value)}`), "must be an IP address or a host name")
  .default("127.0.0.1");

/** The local stack's settings, all from the environment, all optional. */
const schema = z
  .object({
    API_PORT: port.default(4000),
    /** Address that the API listens on; everything else but the metrics stays on the loopback interface. */
    API_HOST: host,
    /** The embedded SQS. */
    AWS_PORT: port.default(4566),
    /** The embedded DynamoDB; by default beside SQS. */
    DYNAMODB_PORT: port.optional(),
    /** Figures for Prometheus. */
    METRICS_PORT: port.default(9464),
    METRICS_HOST: host,
    DYNAMODB_ENGINE: z.enum(["dynoxide", "dynamodb-local"]).optional(),
    /** Folder that keeps tables and queues; without it they live in memory. */
    DATA_DIR: z.string().min(1).optional(),
    /** Somebody else's SQS and DynamoDB, such as LocalStack: no engine is started then. */
    AWS_ENDPOINT_URL: z.url().optional(),
    AWS_REGION: z.string().min(1).default("us-east-1"),
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

/** @throws SettingError naming the first setting that is wrong; an empty one is as good as none */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  return readEnvironment(schema, environment);
}

/** As {@link readSettings}, of any settings. */
export function readEnvironment<Schema extends z.ZodType>(
  settings: Schema,
  environment: NodeJS.ProcessEnv,
): z.output<Schema> {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ""));
  const parsed = settings.safeParse(given);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const name = issue?.path.join(".") ?? "";
  throw new SettingError(`${name}=${given[name] ?? ""}: ${issue?.message ?? "is wrong"}`);
}

/** Where the local stack's SQS and DynamoDB are, in the SDK's own variables, with credentials that open nothing else. */
export function awsEnvironment(settings: Settings): Record<string, string> {
  const { AWS_ENDPOINT_URL, AWS_PORT, DYNAMODB_PORT, AWS_REGION } = settings;
  return {
    AWS_ENDPOINT_URL_SQS: AWS_ENDPOINT_URL ?? `http://127.0.0.1:${AWS_PORT}`,
    AWS_ENDPOINT_URL_DYNAMODB: AWS_ENDPOINT_URL ?? `http://127.0.0.1:${DYNAMODB_PORT}`,
    AWS_REGION,
    AWS_ACCESS_KEY_ID: "local",
    AWS_SECRET_ACCESS_KEY: "local",
    AWS_SESSION_TOKEN: "",
    AWS_PROFILE: "",
  };
}

/** The host of a URL that reaches a server on this machine which listens on the address. */
export function hostInUrl(address: string): string {
  const { hostname } = new URL(`http://${bracketed(address)}`);
  return { "0.0.0.0": "127.0.0.1", "[::]": "[::1]" }[hostname] ?? hostname;
}

function bracketed(address: string): string {
  return isIPv6(address) ? `[${address}]` : address;
}

/**
 * The value of `no_proxy` with which calls to the stack's own servers go through no proxy that the environment names.
 * Node reads this spelling first.
 */
export function withoutProxy({ API_HOST, AWS_ENDPOINT_URL }: Settings, environment: NodeJS.ProcessEnv): string {
  const given = environment.no_proxy ?? environment.NO_PROXY;
  // It means everything only where it stands alone.
  if (given === "*") return given;
  const own = ["127.0.0.1", hostInUrl(API_HOST), ...(AWS_ENDPOINT_URL ? [new URL(AWS_ENDPOINT_URL).hostname] : [])];
  return [...new Set([...(given ? [given] : []), ...own])].join(",");
}
