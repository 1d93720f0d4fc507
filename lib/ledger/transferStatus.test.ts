import { beforeEach, describe, expect, it } from "vitest";
import { consumeSent, type InMemoryPorts, inMemoryPorts } from "../../testkit/inMemoryPorts.ts";
import { emittedOf, holdOf, moveAll, movementsInMemory, usd } from "../../testkit/movements.ts";
import { isDecided, type Transaction } from "../domain/transaction.ts";
import { readTransferStatuses, sendsMoney } from "./transferStatus.ts";

let ports: InMemoryPorts;
let movements: ReturnType<typeof movementsInMemory>;
beforeEach(async () => {
  ports = inMemoryPorts();
  movements = movementsInMemory(ports);
  for (const userId of ["alice", "bob"]) await movements.move(userId, { type: "deposit", ...usd("10.00") });
});

const alices = () => [...ports.transactions.values()].filter(({ userId }) => userId === "alice");
const reads = () => ports.calls.filter((call) => call.startsWith("findTransactions"));

function close(userId: string) {
  const wallet = ports.wallets.get(userId);
  if (wallet) ports.wallets.set(userId, { ...wallet, status: "closed" });
}

async function statusOf({ userId, id }: Transaction) {
  return (await readTransferStatuses([await movements.decided(userId, id)], ports.store)).get(id);
}

describe("the status of a transfer", () => {
  let transfer: Transaction;
  beforeEach(async () => {
    transfer = await movements.accept("alice", { type: "transfer", ...usd("1.00"), to: "bob" });
    await consumeSent(ports);
  });

  it("is in_transit until the receiver is credited", async () => {
    expect(await statusOf(transfer)).toBe("in_transit");
    await consumeSent(ports);
    expect(await statusOf(transfer)).toBe("credited");
  });

  it("is in_transit until the sender has the money back, if the receiver rejects it", async () => {
    close("bob");
    await consumeSent(ports);
    expect(await statusOf(transfer)).toBe("in_transit");
    await consumeSent(ports);
    expect(await statusOf(transfer)).toBe("returned");
  });

  it("is unknown if the credit is missing", async () => {
    const { userId, id } = emittedOf(await movements.decided("alice", transfer.id));
    ports.transactions.delete(JSON.stringify([userId, id]));
    expect(await statusOf(transfer)).toBeUndefined();
  });
});

it("a pending or rejected transfer has none, and takes no read", async () => {
  const rejected = await movements.move("alice", { type: "transfer", ...usd("99.00"), to: "bob" });
  const pending = await movements.accept("alice", { type: "transfer", ...usd("1.00"), to: "bob" });
  expect([rejected, pending].map(sendsMoney)).toEqual([false, false]);
  ports.calls.length = 0;
  expect(await readTransferStatuses([rejected, pending], ports.store)).toEqual(new Map());
  expect(ports.calls).toEqual([]);
});

it("a capture of a promised hold and a refund have one, like a transfer", async () => {
  const { transfer, capture, refund } = await moveAll(movements);
  expect(await readTransferStatuses([transfer, capture, refund], ports.store)).toEqual(
    new Map([transfer, capture, refund].map(({ id }) => [id, "credited"])),
  );
});

it("a rejected credit has none: its return is a part of the sender's transfer", async () => {
  const { rejectedCredit } = await moveAll(movements);
  expect(sendsMoney(rejectedCredit)).toBe(false);
});

describe("a page", () => {
  it("takes one read for all its transfers", async () => {
    const hold = holdOf(await movements.move("alice", { type: "hold", ...usd("2.00") }));
    await movements.move("alice", { type: "capture", referred: hold, final: true });
    const credited = [];
    for (let time = 1; time <= 3; time++) {
      credited.push(await movements.move("alice", { type: "transfer", ...usd("1.00"), to: "bob" }));
    }
    const inTransit = await movements.accept("alice", { type: "transfer", ...usd("1.00"), to: "bob" });
    await consumeSent(ports);
    ports.calls.length = 0;

    expect(await readTransferStatuses(alices().filter(isDecided), ports.store)).toEqual(
      new Map([...credited.map(({ id }) => [id, "credited"] as const), [inTransit.id, "in_transit"]]),
    );
    expect(reads()).toHaveLength(1);
  });

  it("takes a second read for all returns together", async () => {
    const pending = [];
    for (let time = 1; time <= 3; time++) {
      pending.push(await movements.accept("alice", { type: "transfer", ...usd("1.00"), to: "bob" }));
    }
    await consumeSent(ports);
    close("bob");
    while (ports.sent.length > 0) await consumeSent(ports);
    ports.calls.length = 0;

    expect(await readTransferStatuses(alices(), ports.store)).toEqual(
      new Map(pending.map(({ id }) => [id, "returned"])),
    );
    expect(reads()).toHaveLength(2);
  });
});
