import type { Client } from "../../../packages/client/src/index.ts";
import type { Attempt } from "./attempt.ts";
import { isUnsettled } from "./describe.ts";
import { type Draft, sendDraft } from "./draft.ts";
import { failureOf, isFinal } from "./problem.ts";
import { isSameSlot, type Slot } from "./slot.ts";
import { readUnresolved, type Storage, writeUnresolved } from "./unresolved.ts";

/**
 * Sends the commands of the forms. It keeps the idempotency key of each until the outcome is known, also when the page is
 * left or reloaded, so that a command moves money at most once, however often it is sent.
 */
export interface CommandRunner {
  attempts(): readonly Attempt[];
  /** @returns a function that ends the subscription */
  subscribe(listener: () => void): () => void;
  /** Sends a command with a new key. Does nothing if an earlier one of the form has no outcome yet. */
  start(draft: Draft): void;
  /** Sends a command again with its key, or reads its outcome again. */
  retry(slot: Slot): void;
  /** Forgets the command of a form, and its key. Does nothing during a request. */
  forget(slot: Slot): void;
  /** Forgets the command of a form if nothing is left to do: the user has seen its outcome. */
  dismiss(slot: Slot): void;
  /** Continues what a reload interrupted. */
  resume(): void;
  /** Continues what a broken connection interrupted. */
  retryUnknown(): void;
}

interface Options {
  readonly client: Client;
  readonly storage: Storage;
  /** The user who is signed in. Commands of others are neither shown nor sent. */
  readonly subject: string;
  readonly newKey: () => string;
}

/** Seconds that the API waits for the outcome. */
const WAIT_SECONDS = 10;

export function createCommandRunner({ client, storage, subject, newKey }: Options): CommandRunner {
  let attempts: readonly Attempt[] = readUnresolved(storage, subject);
  const listeners = new Set<() => void>();
  const running = new Set<string>();

  function replace(slot: Slot, attempt?: Attempt): void {
    attempts = [...attempts.filter(({ draft }) => !isSameSlot(draft, slot)), ...(attempt ? [attempt] : [])];
    writeUnresolved(storage, subject, attempts);
    for (const listener of listeners) listener();
  }

  function runAll(isChosen: (attempt: Attempt) => boolean): void {
    for (const attempt of attempts.filter(isChosen)) void run(attempt);
  }

  const find = (slot: Slot) => attempts.find(({ draft }) => isSameSlot(draft, slot));

  /** Sends the command, or if the ledger has it, only reads its outcome. */
  async function run(attempt: Attempt): Promise<void> {
    const { draft, idempotencyKey } = attempt;
    if (running.has(idempotencyKey)) return;
    running.add(idempotencyKey);
    const sent = { draft, idempotencyKey };
    let transactionId = attempt.state === "accepted" ? attempt.transactionId : undefined;
    try {
      if (transactionId === undefined) {
        replace(draft, { ...sent, state: "sending" });
        const transaction = await sendDraft(client, draft, { idempotencyKey, wait: WAIT_SECONDS });
        if (!isUnsettled(transaction)) return replace(draft, { ...sent, state: "settled", transaction });
        transactionId = transaction.id;
      }
      replace(draft, { ...sent, state: "accepted", transactionId });
      const transaction = await client.wallet(draft.userId).settled(transactionId);
      replace(draft, { ...sent, state: "settled", transaction });
    } catch (error) {
      const failure = failureOf(error);
      if (transactionId !== undefined) replace(draft, { ...sent, state: "accepted", transactionId, failure });
      else replace(draft, { ...sent, state: isFinal(error) ? "refused" : "unknown", failure });
    } finally {
      running.delete(idempotencyKey);
    }
  }

  return {
    attempts: () => attempts,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    start(draft) {
      const earlier = find(draft);
      if (earlier && earlier.state !== "refused" && earlier.state !== "settled") return;
      void run({ draft, idempotencyKey: newKey(), state: "sending" });
    },
    retry(slot) {
      const attempt = find(slot);
      if (attempt) void run(attempt);
    },
    forget(slot) {
      const attempt = find(slot);
      if (attempt && !running.has(attempt.idempotencyKey)) replace(slot);
    },
    dismiss(slot) {
      const attempt = find(slot);
      if (attempt?.state === "settled" || attempt?.state === "refused") replace(slot);
    },
    resume: () => runAll(({ state }) => state === "sending" || state === "accepted"),
    retryUnknown: () => runAll((attempt) => "failure" in attempt && attempt.failure?.code === "connection_failed"),
  };
}
