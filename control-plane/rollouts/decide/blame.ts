import { incriminates } from "../evidence.ts";
import type { GateView } from "../gate/views.ts";
import type { DeviceRecord } from "../model.ts";
import type { Step } from "./step.ts";

/**
 * Puts the release in quarantine for the hardware classes that speak against it: those on which measurements violate
 * the gate, and those that fail by themselves more often than the plan allows, in the open wave or in all. A single
 * mishap on a class that is fine otherwise is no proof; where no class stands out, all that failed are taken.
 */
export function blame(step: Step, { hardwareClasses }: Pick<GateView, "hardwareClasses">): void {
  const { plan, release } = step.rollout;
  const { maxPercent } = plan.gate.error;
  const trusted = step.trusted();
  const wave = trusted.filter((record) => record.wave === step.progress.wave);
  const found = new Set([
    ...hardwareClasses,
    ...failingClasses(wave, maxPercent),
    ...failingClasses(trusted, maxPercent),
  ]);
  const blamed = found.size > 0 ? found : failingClasses(trusted, 0);
  for (const name of blamed) if (!step.facts.isQuarantined(release.digest, name)) step.quarantine.add(name);
}

/** Classes with a greater share of failures among the known ends that speak against the release, percent. */
function failingClasses(records: readonly DeviceRecord[], maxPercent: number): string[] {
  const classes = new Map<string, { ended: number; failed: number }>();
  for (const record of records) {
    if (record.status !== "succeeded" && record.status !== "failed") continue;
    const counts = classes.get(record.hardwareClass) ?? { ended: 0, failed: 0 };
    classes.set(record.hardwareClass, counts);
    counts.ended += 1;
    if (incriminates(record)) counts.failed += 1;
  }
  return [...classes]
    .filter(([, { ended, failed }]) => failed * 100 > maxPercent * ended)
    .map(([name]) => name);
}
