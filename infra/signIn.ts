import * as z from "zod";

/** The settings of the function `console` that name other hosts. */
const environmentSchema = z.object({
  OIDC_CLIENT_ID: z.string(),
  OIDC_ISSUER: z.string(),
  OIDC_TOKEN_ORIGIN: z.string(),
});

/**
 * Checks the settings of the console's sign-in.
 *
 * @param isLocal true for a stack on one machine, whose identity provider may have no certificate
 * @returns a sentence about the first one that makes every sign-in fail; undefined if there is none
 */
export function signInProblem(environment: unknown, isLocal: boolean): string | undefined {
  const { OIDC_CLIENT_ID, OIDC_ISSUER, OIDC_TOKEN_ORIGIN } = environmentSchema.parse(environment);
  if (OIDC_CLIENT_ID === "") return undefined;
  const isValid = (url: string) => URL.canParse(url) && (isLocal ? /^https?:\/\//i : /^https:\/\//i).test(url);
  if (!isValid(OIDC_ISSUER)) {
    return `OIDC_CLIENT_ID is set, so OIDC_ISSUER, or without it JWT_ISSUER, must be an https URL: it is ${OIDC_ISSUER}`;
  }
  if (OIDC_TOKEN_ORIGIN === "" || isValid(OIDC_TOKEN_ORIGIN)) return undefined;
  return `OIDC_TOKEN_ORIGIN must be an https URL: it is ${OIDC_TOKEN_ORIGIN}`;
}
