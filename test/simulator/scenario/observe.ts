import { isMusterError } from "@muster/shared/errors";
import type { Simulation } from "../simulation.ts";
import type { Director } from "./director.ts";
import type { DeviceTruth, Observation } from "./expect.ts";

interface FleetAnswer {
  liveness: Record<string, number>;
  storedResults: number;
}

/** Results that the control plane has stored, of this run and of earlier ones. */
export const storedResults = async ({ plane }: Simulation): Promise<number> =>
  (await plane.api.get<FleetAnswer>("/fleet")).storedResults;

function truthOf({ swarm, releaseNames }: Simulation): DeviceTruth[] {
  const nameOf = (digest: string): string => releaseNames.get(digest) ?? digest;
  return swarm.actors.map(({ model }) => {
    const { release, state } = model.workload.serving;
    return {
      profile: model.profile,
      online: model.isOnline,
      running: release && state === "ready" ? nameOf(release.digest) : null,
      visited: new Set([...model.visited].map(nameOf)),
      refused: model.reported().refused?.failure.code ?? null,
    };
  });
}

/**
 * How things stand: what the devices really do, and what the control plane says.
 * @param storedBefore results that were there when the run began
 * @returns undefined while the control plane does not answer
 */
export async function observe(
  simulation: Simulation,
  director: Director,
  storedBefore: number,
): Promise<Observation | undefined> {
  const { api } = simulation.plane;
  try {
    const { liveness, storedResults: stored } = await api.get<FleetAnswer>("/fleet");
    const rollouts = new Map<string, { state: string; reason: string | null }>();
    for (const [name, id] of director.rollouts)
      rollouts.set(name, await api.get<{ state: string; reason: string | null }>(`/rollouts/${id}`));
    const { produced, acknowledged, results } = simulation.swarm.counts();
    return {
      devices: truthOf(simulation),
      ...{ rollouts, liveness },
      records: { produced, acknowledged },
      results: { produced: results, stored: stored - storedBefore },
    };
  } catch (error) {
    if (isMusterError(error, "request.unreachable")) return undefined;
    throw error;
  }
}
