/** A decision's place in a user's history, which is ordered by time and by sequence number alike. */
export interface Position {
  /** ISO 8601 with milliseconds, UTC. */
  readonly decidedAt: string;
  readonly sequence: number;
}

const SEQUENCE_DIGITS = 15;

/** The position as a text that sorts like the history. A time without a sequence number sorts before its decisions. */
export function positionText({ decidedAt, sequence }: Position): string {
  return `${decidedAt}#${String(sequence).padStart(SEQUENCE_DIGITS, "0")}`;
}

const POSITION = new RegExp(`^(\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z)#(\\d{${SEQUENCE_DIGITS}})$`);

/** @returns undefined for a text that {@link positionText} did not make */
export function parsePosition(text: string): Position | undefined {
  const [, decidedAt, sequence] = POSITION.exec(text) ?? [];
  return decidedAt === undefined ? undefined : { decidedAt, sequence: Number(sequence) };
}
