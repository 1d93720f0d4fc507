/** A row of the currencies table. */
export interface Currency {
  /** The ISO 4217 code, or an upper-case code of the same style. */
  readonly code: string;
  readonly name: string;
  /** Digits after the decimal point: 2 for USD, 0 for JPY. Never changes once a transaction exists. */
  readonly exponent: number;
  /** A disabled currency takes no new commands; its balances stay visible. */
  readonly enabled: boolean;
}
