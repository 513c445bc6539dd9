import { noDevices } from "../counts.ts";
import type { Attested } from "../gate/attestation-condition.ts";
import type { GateInput } from "../gate/input.ts";
import { successHolds } from "../gate/install-conditions.ts";
import { judgeGate } from "../gate/judge.ts";
import type { GateView } from "../gate/views.ts";
import { placeWagers } from "../gate/wagers.ts";
import { shadowSeconds } from "../shadow.ts";
import { blame } from "./blame.ts";
import { numbersOf, type Step } from "./step.ts";
import { advance, openWave } from "./waves.ts";

function inputOf(step: Step): GateInput {
  const { wave, all } = step.counts();
  const { plan } = step.rollout;
  const { wave: open, waveClockAt, gateHeldSince } = step.progress;
  return {
    number: (open ?? 0) + 1,
    wave,
    all,
    isLast: (open ?? 0) + 1 >= step.rollout.plannedWaves,
    plan: plan.gate,
    timeoutSeconds: plan.timeouts.total + shadowSeconds(plan, { wave: open ?? 0 }),
    openedAt: waveClockAt ?? step.now,
    heldSince: gateHeldSince,
    now: step.now,
    members: step.trusted(),
    evidence: { exposures: step.facts.exposures, wagers: step.progress.wagers },
    attested: plan.gate.attestation ? attestedOf(step) : null,
  };
}

/** Verdicts on evidence that came after the devices were told, or after the phase that they reported last. */
function attestedOf({ devices, facts, progress }: Step): Attested {
  const attested = { updated: 0, affirming: 0, contraindicated: 0 };
  const classes = new Set<string>();
  for (const [place, record] of devices.entries()) {
    if (record.wave !== progress.wave || record.toldAt === null) continue;
    const verdict = facts.verdictOf(place);
    const isSince = verdict !== null && verdict.at >= (record.phaseAt ?? record.toldAt);
    if (isSince && verdict.tier === "contraindicated") {
      attested.contraindicated += 1;
      classes.add(record.hardwareClass);
    }
    if (record.status !== "succeeded") continue;
    attested.updated += 1;
    if (isSince && verdict.tier === "affirming") attested.affirming += 1;
  }
  return { ...attested, classes: [...classes] };
}

/** Ranks the updated devices whose evidence has come in since the last look. */
function compare(step: Step): void {
  const { plan, seed } = step.rollout;
  const { wagers, wave, waveOpenedAt } = step.progress;
  if (wave === null || waveOpenedAt === null) return;
  const input = { plan: plan.gate, seed, wave, openedAt: waveOpenedAt, now: step.now };
  step.move({ wagers: placeWagers(wagers, { ...input, exposures: step.facts.exposures }) });
}

/** Judges the open wave: errors before success, a violated gate before what an operator asked for. */
export function passGate(step: Step): void {
  if (step.progress.wave === null) openWave(step, 0);
  compare(step);
  const input = inputOf(step);
  const holds = successHolds(input);
  if (holds && step.progress.gateHeldSince === null) step.move({ gateHeldSince: step.now });
  if (!holds && step.progress.gateHeldSince !== null) step.move({ gateHeldSince: null });
  const gate = judgeGate({ ...input, heldSince: step.progress.gateHeldSince });
  step.gateNow = gate;

  if (gate.verdict === "violated") stop(step, gate);
  else if (step.state === "paused") return;
  else if (gate.verdict === "met") advance(step, "gate-met", gate, gate.reason);
  else if (step.progress.skipWave !== null && step.progress.skipWave === step.progress.wave)
    advance(step, "wave-skipped", gate, `Wave ${input.number} was skipped as it was. ${gate.reason}`);
  else if (gate.waitingFor === null) {
    step.move({ state: "paused", reason: gate.reason, gate });
    step.event("paused", gate.reason, numbersOf(input.wave));
  }
}

/** A completed rollout goes on telling stragglers: too many failures among all devices still stop it. */
export function watchStragglers(step: Step): void {
  const gate = judgeGate({ ...inputOf(step), wave: noDevices() });
  if (gate.verdict === "violated") stop(step, gate);
}

function stop(step: Step, gate: GateView): void {
  const { onFailure } = step.rollout.plan;
  blame(step, gate);
  const isSaid = step.state === "paused" && step.progress.gate?.verdict === "violated";
  if (onFailure === "pause" && isSaid) return;
  const reverts = onFailure === "revert";
  step.move({
    state: reverts ? "reverting" : "paused",
    reason: gate.reason,
    gate,
    skipWave: null,
    endedAt: null,
  });
  step.event(
    "gate-violated",
    `${gate.reason} ${reverts ? "Every changed device goes back." : "The rollout is paused."}`,
    numbersOf(step.counts().all),
  );
}
