import { setTimeout as sleep } from "node:timers/promises";
import { pick, type Random } from "../../models/training/random.ts";
import type { Simulation } from "../../simulator/simulation.ts";

const LOOK_MS = 10;
const PATIENCE_MS = 30_000;

/**
 * Time from something that happens on a device until the API shows it, milliseconds: a directive that is no
 * directive is offered to a device, which refuses it and says so in its reported state.
 * @param number becomes the generation of the refusal; it must differ from call to call
 */
async function viewAge({ plane, swarm }: Simulation, random: Random, number: number): Promise<number> {
  const actor = swarm.actors[pick(random, swarm.actors.length)]!;
  const forged = { payload: { v: 1, device: actor.model.id, ...PAYLOAD, generation: number }, ...UNSIGNED };
  const began = performance.now();
  actor.offer(Buffer.from(JSON.stringify(forged)));
  for (;;) {
    const { reported } = await plane.api.get<{ reported: { refused: { generation: number } | null } | null }>(
      `/devices/${actor.model.id}`,
    );
    const waited = performance.now() - began;
    if (reported?.refused?.generation === number) return waited;
    if (waited > PATIENCE_MS) throw new Error(`what ${actor.model.id} reported does not show`);
    await sleep(LOOK_MS);
  }
}

const PAYLOAD = { issuedAt: 0, notAfter: 0, rollout: null, release: null, floor: 0, shadow: null };
const UNSIGNED = { keyId: "0".repeat(16), signature: "0".repeat(128) };

/** Ages of the fleet view, one after the other for so many seconds. */
export async function viewAges(simulation: Simulation, random: Random, seconds: number): Promise<number[]> {
  const until = performance.now() + seconds * 1000;
  const ages: number[] = [];
  while (performance.now() < until) {
    ages.push(await viewAge(simulation, random, 1_000_000 + ages.length));
    await sleep(PAUSE_MS);
  }
  return ages;
}

const PAUSE_MS = 100;
