import type { GateView } from "../gate/views.ts";
import { counted, fitting } from "../words.ts";
import { numbersOf, type Step } from "./step.ts";

/** Opens a wave: its devices may be told from now on, and its gate is judged. */
export function openWave(step: Step, wave: number): void {
  step.move({ wave, waveOpenedAt: step.now, waveClockAt: step.now, gateHeldSince: null, skipWave: null });
  const members = step.devices.filter((record) => record.wave === wave && record.status === "waiting");
  const sites = new Set(members.map(({ site }) => site)).size;
  step.event(
    "wave-opened",
    `Wave ${wave + 1} begins: ${counted(members.length, "device")} at ${counted(sites, "site")}.`,
    { wave: wave + 1, devices: members.length, sites },
  );
}

/** Goes on to the next wave, or completes after the last one. */
export function advance(step: Step, kind: string, gate: GateView, sentence: string): void {
  step.move({ gate });
  const wave = step.progress.wave ?? 0;
  const { all, waves } = step.counts();
  step.event(kind, sentence, numbersOf(all));
  if (wave + 1 < waves) {
    openWave(step, wave + 1);
    return;
  }
  step.move({ state: "completed", reason: null, skipWave: null, endedAt: step.now });
  const left = all.waiting + all.offline + all.retrying;
  const kept = all.withheld;
  const away = left > 0 ? ` ${left} ${fitting(left, "is", "are")} told when they can be.` : "";
  const withheld =
    kept > 0
      ? ` ${kept} ${fitting(kept, "is", "are")} withheld: ${fitting(kept, "it gets", "they get")} the release once attestation passes.`
      : "";
  step.event(
    "completed",
    `${all.succeeded} of ${counted(all.total, "device")} ${fitting(all.succeeded, "runs", "run")} the release, ${all.failed} failed.${away}${withheld}`,
    numbersOf(all),
  );
}
