/** The environment variables of the functions; serverless.yml sets only those that a function needs. */
export type Setting =
  | "CURRENCIES_TABLE"
  | "WALLETS_TABLE"
  | "TRANSACTIONS_TABLE"
  | "COMMANDS_QUEUE_URL"
  | "DEAD_LETTER_QUEUE_URL"
  | "EVENTS_TOPIC_ARN"
  | "EVENT_SOURCE"
  | "PUBLISH_FAILURES_QUEUE_URL"
  | "WEBHOOKS_TABLE"
  | "WEBHOOKS_QUEUE_URL"
  | "WEBHOOK_FAILURES_QUEUE_URL"
  | "WEBHOOKS_ALLOW_LOOPBACK"
  | "SELF_SERVICE"
  | "JWT_JWKS_URL"
  | "JWT_ISSUER"
  | "JWT_AUDIENCE"
  | "STAGE"
  | "OIDC_ISSUER"
  | "OIDC_TOKEN_ORIGIN"
  | "OIDC_CLIENT_ID"
  | "OIDC_SCOPE"
  | "OIDC_AUDIENCE";

/** @throws Error if the variable is missing or empty */
export function setting(name: Setting): string {
  const value = optionalSetting(name);
  if (!value) throw new Error(`The setting ${name} is missing from the environment`);
  return value;
}

/** @returns undefined if the variable is missing or empty */
export function optionalSetting(name: Setting): string | undefined {
  return process.env[name] || undefined;
}
