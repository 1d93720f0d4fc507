import { Clients } from "./clients.ts";
import { virtualizeThread } from "./environment.ts";
import { type Edit, loadLedger } from "./ledger.ts";
import type { Plan } from "./plan.ts";
import { LedgerPool, type Outcome, Simulation } from "./simulation.ts";

/** Runs plans against the ledger or against a mutant. */
export type Runner = (plan: Plan, tracing?: boolean) => Promise<Outcome>;

let virtual: Promise<void> | undefined;

export async function makeRunner(edits: readonly Edit[] = []): Promise<Runner> {
  const make = await loadLedger(edits);
  virtual ??= virtualizeThread();
  await virtual;
  const pool = new LedgerPool(make);
  return (plan, tracing) => {
    const simulation = new Simulation(plan, pool, tracing);
    return simulation.run(new Clients(simulation).phases());
  };
}
