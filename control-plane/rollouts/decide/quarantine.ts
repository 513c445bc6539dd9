import { isLeftUnbegun } from "../evidence.ts";
import { counted, fitting } from "../words.ts";
import type { Step } from "./step.ts";
import { sendBack } from "./turn-back.ts";

/**
 * Keeps the release off hardware for which it came into quarantine meanwhile: who waits is skipped, and who waits
 * for a retry or has never taken its directive up is sent back. What has begun runs to its end. False where a
 * limit cut that short.
 */
export function heedQuarantine(step: Step): boolean {
  const { rollout, facts } = step;
  const { name, version, digest } = rollout.release;
  if (rollout.plan.force) return true;
  const classes = new Set<string>();
  let skipped = 0;
  let sentBack = 0;
  let done = true;
  for (const [index, record] of step.devices.entries()) {
    if (!facts.isQuarantined(digest, record.hardwareClass)) continue;
    const waits = record.status === "waiting";
    if (!waits && !isLeftUnbegun(record, () => facts.of(record.device))) continue;
    if (step.full || step.room === 0) {
      done = false;
      break;
    }
    if (waits) {
      step.change(index, { ...record, status: "skipped", outcome: "quarantined" });
      skipped += 1;
    } else if (sendBack(step, index, record, { outcome: "quarantined" })) sentBack += 1;
    else continue;
    classes.add(record.hardwareClass);
  }
  if (!done) step.more = true;
  if (classes.size > 0) {
    const back = sentBack > 0 ? ` and ${sentBack} ${fitting(sentBack, "goes", "go")} back` : "";
    step.event(
      "quarantined",
      `${name} ${version} is in quarantine for ${[...classes].join(", ")}: ${counted(skipped, "device")} ${fitting(skipped, "is", "are")} not told${back}.`,
      { skipped, sentBack },
    );
  }
  return done;
}
