import { eventOf } from "../lib/http/cloudEvent.ts";
import type { EventPublisher } from "../lib/ledger/ports.ts";
import type { PublishPorts, UnpublishedRange } from "../lib/ledger/publish.ts";
import type { InMemoryPorts } from "./inMemoryPorts.ts";

/** A publisher in memory, whose events can fail. */
export function inMemoryPublisher() {
  /** The ids of each call. */
  const calls: string[][] = [];
  const published: string[] = [];
  /** Ids of events that fail. */
  const failing = new Set<string>();
  /** Runs in every call, before its effect. */
  let act = (_ids: readonly string[]): void => {};
  const publisher: EventPublisher = {
    publish: async (events) => {
      const ids = events.map(({ id }) => id);
      calls.push(ids);
      await Promise.resolve();
      act(ids);
      published.push(...ids.filter((id) => !failing.has(id)));
      return new Set(ids.filter((id) => failing.has(id)));
    },
  };
  return {
    ...{ publisher, calls, published, failing },
    inEveryCall(run: (ids: readonly string[]) => void) {
      act = run;
    },
  };
}

/** The ports of the publication, and what its observer saw. */
export function publishPorts(ports: InMemoryPorts, ...publishers: readonly EventPublisher[]) {
  const observed = {
    published: [] as string[],
    failed: [] as { userId: string; error: string }[],
    reported: [] as UnpublishedRange[],
  };
  const publication: PublishPorts = {
    store: ports.store,
    clock: ports.clock,
    publishers,
    eventOf: (transaction) => eventOf(transaction, "antler-test"),
    failures: { send: async (range) => void observed.reported.push(range) },
    observer: {
      published: ({ userId, decision }) => void observed.published.push(`${userId}/${decision.sequence}`),
      failed: (userId, _recordIds, error) => void observed.failed.push({ userId, error: String(error) }),
    },
  };
  return { ...publication, observed };
}
