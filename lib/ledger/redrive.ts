import type { Message } from "./message.ts";

/** What the consumer, or the queue after five deliveries, has set aside. */
export interface DeadLetter {
  readonly messageId: string;
  /** The user that the command is for; of a body that is no message, the group that it came in. */
  readonly userId: string;
  readonly body: string;
  /** Absent when the body is no message of this version of the ledger. */
  readonly message: Message | undefined;
  /** Why the consumer set it aside; absent when it failed in every delivery. */
  readonly reason: string | undefined;
  readonly sentAt: Date;
}

export interface DeadLetterQueue<Letter extends DeadLetter = DeadLetter> {
  /**
   * Takes the next letters, each user's in order, and hides the user's others until these are removed or given back.
   *
   * @returns none when nothing more can be taken
   */
  take(): Promise<readonly Letter[]>;
  /** Lets others take the letters again, in their old places. */
  giveBack(letters: readonly Letter[]): Promise<void>;
  /** Sends the command behind the user's others. Again for the same letter within minutes: does nothing. */
  sendBack(letter: Letter): Promise<void>;
  remove(letter: Letter): Promise<void>;
}

/** Takes letters for a look, at most as many as wanted or until the one that is looked for, and gives all back. */
export async function look<Letter extends DeadLetter>(
  queue: DeadLetterQueue<Letter>,
  enough: (seen: readonly Letter[]) => boolean,
): Promise<readonly Letter[]> {
  const seen: Letter[] = [];
  try {
    while (!enough(seen)) {
      const taken = await queue.take();
      if (taken.length === 0) break;
      seen.push(...taken);
    }
    return seen;
  } finally {
    await queue.giveBack(seen);
  }
}

/**
 * Sends dead letters back to the commands, each user's in order, and tells of each. It is sent back first and removed
 * then: killed in between, the letter stays and is sent again the next time, which moves no money twice. A letter that
 * comes back meanwhile stays where it is, so that this ends.
 *
 * @param userId only this user's
 * @returns how many letters were met that had been sent back in this run already
 */
export async function redrive<Letter extends DeadLetter>(
  queue: DeadLetterQueue<Letter>,
  userId: string | undefined,
  onSentBack: (letter: Letter) => void,
): Promise<{ readonly cameBack: number }> {
  const taken: Letter[] = [];
  const done = new Set<Letter>();
  const sent = new Set<string>();
  let cameBack = 0;
  try {
    for (let next = await queue.take(); next.length > 0; next = await queue.take()) {
      taken.push(...next);
      for (const letter of next) {
        if (userId !== undefined && letter.userId !== userId) continue;
        const content = JSON.stringify([letter.userId, letter.body]);
        if (sent.has(content)) {
          cameBack++;
          continue;
        }
        await queue.sendBack(letter);
        sent.add(content);
        await queue.remove(letter);
        done.add(letter);
        onSentBack(letter);
      }
    }
    return { cameBack };
  } finally {
    await queue.giveBack(taken.filter((letter) => !done.has(letter)));
  }
}
