import type { RolloutPlanInput } from "@muster/control-plane/rollouts/plan";
import { isMusterError } from "@muster/shared/errors";
import { until } from "../../plant/wait.ts";
import type { Simulation } from "../../simulator/simulation.ts";
import type { WireFleet } from "./wire-fleet.ts";

const LIMIT_MS = 180_000;

/** One wave with everybody, told as fast as the control plane can. */
export const EVERYBODY_AT_ONCE: Omit<RolloutPlanInput, "release"> = {
  waves: [{ percent: 100 }],
  blastRadius: {},
  windows: "any",
  uplinkSharePercent: 100,
};

export interface Spread {
  /** From the operator's start until the last device holds its directive. */
  seconds: number;
  /** Of that, until the start was answered: targets are chosen and stored. */
  startSeconds: number;
}

/** Starts a rollout to everybody and waits until it has completed. */
export async function directiveSpread({ simulation, watch, releases }: WireFleet): Promise<Spread> {
  const { plane, swarm } = simulation;
  const { name, version, digest } = releases.good;
  const { id } = await plane.api.send<{ id: string }>("POST", "/rollouts", {
    ...EVERYBODY_AT_ONCE,
    release: { name, version },
    gate: { soakSeconds: 0, metrics: [] },
  });
  watch.expect((given) => given === digest);
  const startedAt = Date.now();
  await plane.api.send("POST", `/rollouts/${id}/start`);
  const answeredAt = Date.now();
  const devices = swarm.actors.length;
  await until("everybody to be told", LIMIT_MS, async () => watch.held === devices || undefined, 20);
  await ended(simulation, id, "completed");
  return {
    seconds: (watch.lastHeldAt - startedAt) / 1000,
    startSeconds: (answeredAt - startedAt) / 1000,
  };
}

/** Waits until a rollout is in this state. A busy control plane may drop a connection: then it is asked again. */
export async function ended({ plane }: Simulation, rollout: string, state: string): Promise<void> {
  let seen = "";
  const ask = async () => {
    try {
      seen = (await plane.api.get<{ state: string }>(`/rollouts/${rollout}`)).state;
    } catch (error) {
      if (!isMusterError(error, "request.unreachable")) throw error;
    }
    return seen === state || undefined;
  };
  await until(`a rollout to be ${state}`, LIMIT_MS, ask, 500);
}
