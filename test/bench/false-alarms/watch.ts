import { noDevices } from "@muster/control-plane/rollouts/counts";
import { roundsOf } from "@muster/control-plane/rollouts/exposure/blocks";
import { TrackedExposures } from "@muster/control-plane/rollouts/exposure/tracked";
import { judgeGate } from "@muster/control-plane/rollouts/gate/judge";
import { completeGate, METRICS } from "@muster/control-plane/rollouts/gate/plan";
import { placeWagers, stakeLimit, type Wagers } from "@muster/control-plane/rollouts/gate/wagers";
import { isNaiveAlarm } from "./naive.ts";
import { Simulation, type World } from "./world.ts";

const NEW = "sha256:new";
const OLD = "sha256:old";
const OPENED_AT = 1_700_000_000_000;
/** Looks at the gate in each block, spread over it. */
const LOOKS = [0.1, 0.4, 0.7, 0.95];

/** All metrics that both arms report, with no tolerance: the hardest case for the false-alarm rate. */
const COMPARED = METRICS.filter((metric) => metric !== "shadow-agreement");

export interface Watched {
  /** Block in which the gate was violated; null for never. */
  violatedAt: number | null;
  /** Hardware classes that were named then. */
  named: readonly string[];
  /** The stake of a comparison reached its limit, whether or not the release is worse on the whole. */
  staked: boolean;
  /** The test that nobody should use said so at some look. */
  naive: boolean;
}

/** One wave of one world from its opening on, judged again and again as the tick does. */
export function watch(world: World, seed: number, falseAlarmPercent: number): Watched {
  const plan = completeGate({
    metrics: COMPARED.map((metric) => ({ metric, tolerance: 0 })),
    error: { maxPercent: 100 },
    falseAlarmPercent,
    soakSeconds: world.soakSeconds,
  });
  const simulation = new Simulation(world, seed);
  const members = simulation.devices.map(({ name, hardwareClass, arm }) => ({
    device: name,
    hardwareClass,
    arm,
  }));
  const exposures = new TrackedExposures({
    rollout: "r",
    digest: NEW,
    wave: 0,
    openedAt: OPENED_AT,
    gate: plan,
    members,
  });
  exposures.setMembers(members);
  const blockMs = roundsOf(plan)[0] ?? 0;
  const counts = { ...noDevices(), total: world.updated, succeeded: world.updated };
  const limit = Math.log(stakeLimit(plan));
  let wagers: Wagers | null = null;
  const result: Watched = { violatedAt: null, named: [], staked: false, naive: false };

  for (let block = 0; block < world.blocks; block += 1) {
    for (const look of LOOKS) {
      const now = OPENED_AT + (block + look) * blockMs;
      wagers = placeWagers(wagers, { plan, seed, wave: 0, openedAt: OPENED_AT, exposures, now });
      result.staked ||= wagers.rounds.some(({ tests }) => tests.some(({ peak }) => peak >= limit));
      result.naive ||= isNaiveAlarm(exposures, falseAlarmPercent);
      const gate = judgeGate({
        number: 1,
        wave: counts,
        all: counts,
        isLast: false,
        plan,
        timeoutSeconds: 3600,
        openedAt: OPENED_AT,
        heldSince: OPENED_AT,
        now,
        members: [],
        evidence: { exposures, wagers },
        attested: null,
      });
      if (gate.verdict === "violated" && result.violatedAt === null) {
        result.violatedAt = block;
        result.named = gate.hardwareClasses;
      }
    }
    for (const device of simulation.devices) {
      if (device.arm === "updated" && block < device.start) continue;
      const entry = simulation.measure(device, block, device.arm === "updated" ? NEW : OLD);
      const at = OPENED_AT + (block + 0.97) * blockMs;
      const next = exposures.after(device.name, exposures.device(device.name), [entry], at);
      if (next) exposures.put(device.name, next);
    }
  }
  return result;
}
