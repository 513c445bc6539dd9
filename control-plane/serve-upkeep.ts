import { asMusterError } from "@muster/shared/errors";
import type { Logger } from "pino";
import type { Drift } from "./drift/drift.ts";
import type { Energy } from "./energy/energy.ts";
import type { Examples } from "./examples/examples.ts";
import type { Health } from "./health/health.ts";
import type { Ingest } from "./ingest/ingest.ts";
import { Retention } from "./ingest/retention.ts";
import type { DirectiveDesk } from "./rollouts/directive-desk.ts";
import type { Base } from "./serve-base.ts";
import type { Closers } from "./settings/closers.ts";

/** What is looked after while a control plane runs. */
export interface Upkeep extends Base {
  ingest: Pick<Ingest, "forgetTables">;
  desk: Pick<DirectiveDesk, "settle">;
  health: Pick<Health["book"], "refresh">;
  ledger: Pick<Health["ledger"], "tick">;
  drift: Pick<Drift, "ledger">;
  examples: Pick<Examples, "prune">;
  energy: Pick<Energy, "tick">;
}

const HOURLY = 3_600_000;
const DAILY = 24 * HOURLY;
/** How soon a device that has just enrolled or moved gets its power policy. */
const POLICY_TICK_MS = 30_000;
/** How soon a device that does not pass any more has nothing new waiting for it. */
const WITHHOLD_TICK_MS = 1000;

/** Begins the work that comes again and again. What must be true before anybody asks is done when it returns. */
export async function keepUp(parts: Upkeep, closers: Closers): Promise<void> {
  const { settings, log, clock, stores, audit, identity, trust, presence } = parts;
  const { ingest, desk, health, ledger, drift, examples, energy } = parts;
  const every = (ms: number, work: () => Promise<unknown>) => {
    const timer = setInterval(() => attempt(log, work()), ms);
    closers.add(() => clearInterval(timer));
  };
  const housekeeping = async () => {
    await identity.renewIfDue(clock());
    await trust.refresh();
  };
  await housekeeping();
  every(HOURLY, housekeeping);
  const retention = new Retention(stores, settings, clock, () => ingest.forgetTables());
  closers.add(() => retention.stop());
  attempt(log, retention.run());
  every(HOURLY, () => retention.run());
  const cut = () => audit.cut(clock() - settings.auditDays * DAILY);
  attempt(log, cut());
  every(DAILY, cut);
  every(settings.auditCheckpointMs, () => audit.checkpoint());
  for (const prune of [() => drift.ledger.prune(), () => examples.prune()]) {
    attempt(log, prune());
    every(HOURLY, prune);
  }
  await health.refresh();
  every(settings.healthMs, () => health.refresh());
  every(WITHHOLD_TICK_MS, () => desk.settle());
  every(1000, () => ledger.tick());
  every(POLICY_TICK_MS, () => energy.tick());
  every(settings.presenceSaveMs, () => presence.save());
}

/** Work in the background: a failure is logged, and tried again when its time comes. */
export function attempt(log: Logger, work: Promise<unknown>): void {
  work.catch((error: unknown) => {
    const { code, message } = asMusterError(error);
    log.error({ code, err: error }, message);
  });
}
