import { defaultSettings } from "@muster/control-plane/settings/settings";
import { until } from "../../plant/wait.ts";
import { EVERYBODY_AT_ONCE, ended } from "./directive-spread.ts";
import type { WireFleet } from "./wire-fleet.ts";

const LIMIT_MS = 180_000;
/** Devices on which the update fails; all others are still at it when it does. */
const FAILING = 20;
/** Known ends that the gate wants before it judges: `error.minDevices` of a plan that says nothing else. */
const ENOUGH = 10;
const SLOWNESS = 1_000;

export interface Stop {
  /** From the first failed update, on its device, until the last device in flight holds its way back. */
  seconds: number;
  /** From the failure after which the evidence suffices until the gate was violated, in ticks. */
  ticks: number;
}

interface Event {
  kind: string;
  at: number;
}

/**
 * A bad release with everybody in flight. The failing devices are as slow as it takes for everybody to be told
 * first.
 * @param spreadSeconds how long that takes
 */
export async function stopBadRelease(fleet: WireFleet, spreadSeconds: number): Promise<Stop> {
  const { simulation, settings, watch, releases } = fleet;
  const { plane, swarm, faults } = simulation;
  const { name, version } = releases.bad;
  const failing = swarm.actors.slice(0, FAILING);
  const isFailing = new Set(failing.map(({ model }) => model.profile.index));
  faults.push({
    release: `${name}@${version}`,
    kind: "stage",
    severity: 1,
    afterMs: 0,
    affects: ({ index }) => isFailing.has(index),
  });
  const longEnough = Math.round(spreadSeconds * 2_000 + 3_000);
  settings.work.fetch = [longEnough, longEnough];
  for (const actor of swarm.actors) if (!failing.includes(actor)) actor.set({ slowness: SLOWNESS });

  const { id } = await plane.api.send<{ id: string }>("POST", "/rollouts", {
    ...EVERYBODY_AT_ONCE,
    release: { name, version },
  });
  watch.expect((digest) => digest === releases.bad.digest);
  await plane.api.send("POST", `/rollouts/${id}/start`);
  const devices = swarm.actors.length;
  await until("everybody to be in flight", LIMIT_MS, async () => watch.held === devices || undefined, 20);
  if (watch.failedAt.length > 0) throw new Error("an update failed before all were told");

  // Whoever failed the good release before, in its probation, goes back to what it had then.
  watch.expect((digest) => digest !== releases.bad.digest);
  await until("everybody to be sent back", LIMIT_MS, async () => watch.held === devices || undefined, 20);
  await ended(simulation, id, "reverted");
  const { events } = await plane.api.get<{ events: Event[] }>(`/rollouts/${id}/events`);
  const violated = events.find(({ kind }) => kind === "gate-violated");
  if (!violated) throw new Error("no gate was violated");
  const [first = Number.NaN] = watch.failedAt;
  const enough = watch.failedAt[ENOUGH - 1] ?? Number.NaN;
  return {
    seconds: (watch.lastHeldAt - first) / 1000,
    ticks: (violated.at - enough) / defaultSettings.rolloutTickMs,
  };
}
