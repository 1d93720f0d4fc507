/** A row of the currencies table. */
export interface Currency {
  /** Upper-case code, as ISO 4217 has it where it has one. */
  readonly code: string;
  readonly name: string;
  /** Digits after the point: 2 for USD, 0 for JPY. It never changes once a transaction exists. */
  readonly exponent: number;
  /** A disabled currency takes no new commands; balances in it stay visible. */
  readonly enabled: boolean;
}
