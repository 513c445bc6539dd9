import { incriminates } from "../evidence.ts";
import { type GateInput, type GateView, judgeGate, successHolds } from "../gate/judge.ts";
import { placeWagers } from "../gate/wagers.ts";
import { numbersOf, type Step } from "./step.ts";
import { advance, openWave } from "./waves.ts";

function inputOf(step: Step): GateInput {
  const { wave, all, waves } = step.counts();
  const { plan } = step.rollout;
  const { wave: open, waveClockAt, gateHeldSince } = step.progress;
  return {
    number: (open ?? 0) + 1,
    wave,
    all,
    isLast: (open ?? 0) + 1 >= waves,
    plan: plan.gate,
    timeoutSeconds: plan.timeouts.total,
    openedAt: waveClockAt ?? step.now,
    heldSince: gateHeldSince,
    now: step.now,
    members: step.devices,
    evidence: { exposures: step.facts.exposures, wagers: step.progress.wagers },
  };
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
  const gate = judgeGate(inputOf(step));
  if (gate.verdict === "violated") stop(step, gate);
}

function stop(step: Step, gate: GateView): void {
  const { onFailure } = step.rollout.plan;
  if (onFailure === "pause" && step.state === "paused") return;
  for (const name of gate.hardwareClasses) step.quarantine.add(name);
  for (const record of step.devices) if (incriminates(record)) step.quarantine.add(record.hardwareClass);
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
    `${gate.reason} ${reverts ? "Every changed device goes back." : "The rollout pauses."}`,
    numbersOf(step.counts().all),
  );
}
