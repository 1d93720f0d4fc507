/** The settings that functions take from their environment; serverless.yml gives each function only its own. */
export type Setting =
  | "CURRENCIES_TABLE"
  | "WALLETS_TABLE"
  | "TRANSACTIONS_TABLE"
  | "COMMANDS_QUEUE_URL"
  | "DEAD_LETTER_QUEUE_URL"
  | "JWT_JWKS_URL"
  | "JWT_ISSUER"
  | "JWT_AUDIENCE";

/** @throws Error when the environment lacks the setting */
export function setting(name: Setting): string {
  const value = process.env[name];
  if (!value) throw new Error(`The setting ${name} is missing from the environment`);
  return value;
}
