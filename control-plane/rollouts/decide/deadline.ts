import { counted } from "../words.ts";
import { numbersOf, type Step } from "./step.ts";

const UNTOLD: ReadonlySet<string> = new Set(["waiting", "retrying", "held"]);

/** After the deadline nothing more is told: a rollout under way is aborted, a completed one skips who waits. */
export function keepDeadline(step: Step): void {
  const { rollout, now } = step;
  const { deadlineSeconds } = rollout.plan;
  if (deadlineSeconds === null || rollout.startedAt === null) return;
  if (now < rollout.startedAt + deadlineSeconds * 1000) return;
  if (step.state === "running" || step.state === "paused") {
    const { all } = step.counts();
    const reason = `The deadline of ${deadlineSeconds} s is over with ${all.succeeded} of ${counted(all.total, "device")} succeeded: nothing more is told.`;
    step.move({ state: "aborting", reason });
    step.event("deadline", reason, numbersOf(all));
  }
  if (step.state !== "completed") return;
  for (const [index, record] of step.devices.entries()) {
    if (!UNTOLD.has(record.status)) continue;
    if (step.full) {
      step.more = true;
      return;
    }
    const status = record.status === "retrying" ? "failed" : "skipped";
    step.change(index, {
      ...record,
      status,
      notBefore: null,
      outcome: record.outcome ?? "canceled",
    });
  }
}
