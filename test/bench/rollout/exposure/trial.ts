import { ANNA } from "../../../integration/rollouts/world.ts";
import type { Box } from "./box.ts";
import { classesHit, PLANS, type Trial } from "./faults.ts";
import { type Fleet, NAME } from "./fleet.ts";

/** Longest that a trial may take, virtual milliseconds. */
const LIMIT_MS = 4 * 3_600_000;

/** How one rollout went. */
export interface Outcome extends Trial {
  /** State in which it ended or came to a halt. */
  state: string;
  /** Why. */
  reason: string;
  /** Devices that were told the release. */
  exposed: number;
  /** Those of them on which it is bad. */
  harmed: number;
  canaries: number;
  /** Devices told that were in no canary wave. */
  beyond: number;
  /** Devices within reach that do not run their former release once the rollout was reverted. */
  astray: number;
  /** Virtual seconds from the start to the end. */
  seconds: number;
}

const ENDS: ReadonlySet<string> = new Set(["completed", "reverted", "paused"]);

/** Rolls one release out to the fleet, to the end. `version` counts from 2, each for one trial. */
export async function play(fleet: Fleet, trial: Trial, version: number): Promise<Outcome> {
  const { world, boxes, classes, random } = fleet;
  const hit = classesHit(trial, classes, random);
  const release = { name: NAME, version: `${version}.0.0` };
  const isHit = (hardwareClass: string) => hit.has(hardwareClass);
  for (const box of boxes)
    box.prepare(`${NAME}@${release.version}`, isHit(box.profile.hardwareClass) ? trial.fault : undefined);
  const service = world.service((bytes) => Uint8Array.from({ length: bytes }, () => 256 * random()));
  const before = new Map(boxes.map(({ device }) => [device.id, device.running?.version]));
  const { id } = await service.create({ release, waves: PLANS[trial.plan] }, ANNA);
  await service.start(id, ANNA);
  const startedAt = world.now;
  const until = async (ends: ReadonlySet<string>): Promise<string> => {
    for (;;) {
      await fleet.step();
      const state = stateOf(fleet, id);
      if (ends.has(state) || world.now - startedAt > LIMIT_MS) return state;
    }
  };
  const state = await until(ENDS);
  const { reason } = await service.get(id);
  const seconds = (world.now - startedAt) / 1000;
  const told = toldIn(fleet, id);
  // What passed stays on the boxes that got it; the next trial begins where this one did.
  if (state !== "reverted") {
    await service.revert(id, ANNA);
    await until(new Set(["reverted"]));
  }
  const isAstray = ({ device }: Box) => device.online && device.running?.version !== before.get(device.id);
  return {
    ...trial,
    state,
    reason: reason ?? "",
    exposed: told.length,
    harmed: told.filter(({ hardware_class: name }) => isHit(name)).length,
    canaries: canariesOf(fleet, id),
    beyond: told.filter(({ wave }) => wave > 0).length,
    astray: boxes.filter(isAstray).length,
    seconds,
  };
}

const stateOf = ({ world }: Fleet, id: string): string =>
  world.stores.controlRaw.prepare("SELECT state FROM rollouts WHERE id = ?").pluck().get(id) as string;

const toldIn = ({ world }: Fleet, id: string): { wave: number; hardware_class: string }[] =>
  world.stores.controlRaw
    .prepare("SELECT wave, hardware_class FROM rollout_devices WHERE rollout = ? AND attempts > 0")
    .all(id) as { wave: number; hardware_class: string }[];

const canariesOf = ({ world }: Fleet, id: string): number =>
  world.stores.controlRaw
    .prepare("SELECT count(*) FROM rollout_devices WHERE rollout = ? AND wave = 0")
    .pluck()
    .get(id) as number;
