const KEY = /^[A-Za-z0-9_.:-]{1,40}$/;
const PAIRS_MAX = 50;
const VALUE_LENGTH_MAX = 500;

/** The metadata of a command, or a sentence that says what is wrong with it. */
export interface ParsedMetadata {
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly error?: string | undefined;
}

/** Reads key-value pairs, one a line: `orderId = A-1001`. */
export function parseMetadata(typed: string): ParsedMetadata {
  const lines = typed.split("\n").filter((line) => line.trim() !== "");
  if (lines.length === 0) return {};
  if (lines.length > PAIRS_MAX) return { error: `Enter at most ${PAIRS_MAX} lines.` };
  const pairs = new Map<string, string>();
  for (const line of lines) {
    const equals = line.indexOf("=");
    const key = line.slice(0, Math.max(equals, 0)).trim();
    const value = line.slice(equals + 1).trim();
    if (!KEY.test(key) || key === "__proto__") {
      return { error: "Write one pair a line, such as orderId = A-1001. A key has 1 to 40 of A–Z a–z 0–9 _ . : -" };
    }
    if (value.length > VALUE_LENGTH_MAX) return { error: `The value of ${key} has more than 500 characters.` };
    if (pairs.has(key)) return { error: `The key ${key} is there twice.` };
    pairs.set(key, value);
  }
  return { metadata: Object.fromEntries(pairs) };
}
