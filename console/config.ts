/** What `GET /console/config.json` says about the stage. The page and the command line sign in with it. */
export interface ConsoleConfig {
  /** Name of the stage, such as `prod`. */
  readonly stage: string;
  /** True for the stack of `npm start`, whose identity provider lets anyone sign in as any user. */
  readonly isLocal: boolean;
  /** How to sign in with OpenID Connect; null if the stage has no client id: then a token is pasted. */
  readonly oidc: {
    /** URL below which the provider's discovery document is. */
    readonly issuer: string;
    readonly clientId: string;
    /** Scopes to ask for, separated by spaces. */
    readonly scope: string;
    /** Sent as `audience` and `resource`; null to send neither. */
    readonly audience: string | null;
  } | null;
}
