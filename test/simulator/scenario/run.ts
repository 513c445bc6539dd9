import { setTimeout as sleep } from "node:timers/promises";
import { asMusterError, MusterError } from "@muster/shared/errors";
import type { Simulation } from "../simulation.ts";
import type { SwarmCounts } from "../swarm.ts";
import { Director } from "./director.ts";
import { type Checked, check, type Observation } from "./expect.ts";
import { observe, storedResults } from "./observe.ts";
import type { Expectation, Scenario } from "./schema.ts";
import { type Moment, timelineOf } from "./timeline.ts";

/** How often expectations are looked at, milliseconds. */
const LOOK_MS = 500;
/** How long the last records may take to be acknowledged once nothing more is made, milliseconds. */
const DRAIN_MS = 30_000;

export interface RunReport {
  held: boolean;
  /** Seconds from the first connection until all were online, and from then to the end. */
  seconds: { online: number; scenario: number };
  expectations: (Checked & { expectation: Expectation })[];
  rollouts: Record<string, { id: string; state: string; reason: string | null }>;
  devices: SwarmCounts;
  liveness: Record<string, number>;
  resultsStored: number;
}

export interface RunWatch {
  /** Told each second or so how things stand. */
  look(seconds: number, counts: SwarmCounts, observation: Observation | undefined): void;
  event(words: string): void;
  signal?: AbortSignal;
}

const describe = ({ edge, event }: Moment): string => {
  const { kind, at: _at, for: _for, plan: _plan, ...rest } = { for: undefined, plan: undefined, ...event };
  return `${edge === "begin" ? "" : "end of "}${kind} ${JSON.stringify(rest)}`;
};

/** Connects the whole fleet. @returns seconds it took @throws MusterError `request.timeout` */
export async function bringOnline(
  simulation: Simulation,
  limitSeconds: number,
  watch: RunWatch,
): Promise<number> {
  const { swarm, baseline } = simulation;
  const startedAt = performance.now();
  swarm.start(baseline);
  for (;;) {
    const counts = swarm.counts();
    const seconds = (performance.now() - startedAt) / 1000;
    if (counts.online === counts.devices) return seconds;
    if (seconds > limitSeconds || watch.signal?.aborted)
      throw new MusterError("request.timeout", `${counts.online} of ${counts.devices} devices came online.`);
    watch.look(-1, counts, undefined);
    await sleep(LOOK_MS);
  }
}

/** Plays a scenario on a simulation that was just prepared. @throws MusterError as operators' actions fail */
export async function runScenario(
  simulation: Simulation,
  scenario: Scenario,
  seed: number,
  watch: RunWatch,
): Promise<RunReport> {
  const { swarm } = simulation;
  const director = new Director(simulation, seed);
  const storedBefore = await storedResults(simulation);
  const online = await bringOnline(simulation, scenario.limitSeconds + 600, watch);
  const begin = performance.now();
  const elapsed = () => (performance.now() - begin) / 1000;
  const pending = timelineOf(scenario.events);
  const lookAt = () => observe(simulation, director, storedBefore);
  const results = (seen: Observation) =>
    scenario.expect.map((expectation) => ({ expectation, ...check(expectation, seen, seed) }));

  for (;;) {
    await play(pending, elapsed(), director, watch);
    const seen = await lookAt();
    watch.look(elapsed(), swarm.counts(), seen);
    const open = seen
      ? results(seen).some(({ held, expectation }) => !held && expectation.kind !== "nothing-lost")
      : true;
    const isOver = pending.length === 0 && !open && scenario.expect.length > 0;
    if (isOver || elapsed() > scenario.limitSeconds || watch.signal?.aborted) break;
    await sleep(
      Math.max(1, Math.min(LOOK_MS, ((pending[0]?.at ?? Number.POSITIVE_INFINITY) - elapsed()) * 1000)),
    );
  }
  const seconds = { online, scenario: elapsed() };
  // What still lasts at the end belongs to the scenario: it is judged before it is undone.
  const judged = await lookAt();
  await director.finish();
  await drain(simulation);
  const last = (await lookAt()) ?? judged;
  if (!last) throw new MusterError("request.unreachable", "The control plane does not answer.");
  const expectations = scenario.expect.map((expectation) => ({
    expectation,
    ...check(expectation, expectation.kind === "nothing-lost" ? last : (judged ?? last), seed),
  }));
  return {
    held: expectations.every(({ held }) => held),
    seconds,
    expectations,
    rollouts: Object.fromEntries(
      [...director.rollouts].map(([name, id]) => {
        const { state = "", reason = null } = last.rollouts.get(name) ?? {};
        return [name, { id, state, reason }];
      }),
    ),
    devices: swarm.counts(),
    liveness: last.liveness,
    resultsStored: last.results.stored,
  };
}

async function play(pending: Moment[], seconds: number, director: Director, watch: RunWatch): Promise<void> {
  while (pending[0] && pending[0].at <= seconds) {
    const moment = pending.shift()!;
    watch.event(describe(moment));
    try {
      await director.happen(moment);
    } catch (error) {
      const { code, message } = asMusterError(error);
      throw new MusterError(code, `${moment.event.kind} at ${moment.at} s: ${message}`, { cause: error });
    }
  }
}

/** Lets the devices make no more records and waits until what they have is acknowledged, or for half a minute. */
export async function drain({ swarm }: Simulation): Promise<void> {
  swarm.quiet();
  const until = performance.now() + DRAIN_MS;
  for (;;) {
    const { produced, acknowledged } = swarm.counts();
    if (acknowledged === produced || performance.now() > until) return;
    await sleep(LOOK_MS);
  }
}
