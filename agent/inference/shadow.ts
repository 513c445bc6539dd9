import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MusterError } from "@muster/shared/errors";
import type { ShadowRule } from "@muster/shared/protocol/shadow-rule";
import type { TapOrder } from "../runner/shadow/tap.ts";
import { addShadowTally, emptyShadowTally, type ShadowTally } from "../shadow/tally.ts";
import type { ModelDeployment } from "./deployment.ts";
import type { RunnerProcess } from "./runner-process.ts";
import { MAX_SOCKET_PATH } from "./socket-paths.ts";

/** Time in which a candidate opens its socket, seconds. */
const OPEN_SECONDS = 10;
/** Time between two looks for live runners that were started again, milliseconds. */
const FOLLOW_MS = 500;

/** One runner with the models that it has loaded. */
export interface ShadowSide {
  readonly runner: RunnerProcess;
  readonly models: readonly ModelDeployment[];
}

/** What a shadow is made of; `Inference` knows it. */
export interface ShadowSides {
  readonly candidates: readonly ShadowSide[];
  /** Runners that serve at this moment: one that crashed comes back as another process. */
  readonly live: () => readonly ShadowSide[];
  /** Has what live runners tell of this shadow told to the listener. @returns ends it */
  readonly listen: (shadow: string, listener: (models: readonly ShadowTally[]) => void) => () => void;
}

export interface ShadowOrder {
  readonly rule: Pick<ShadowRule, "samplePercent" | "cpuPercent">;
  /** Largest data of one request that is copied, bytes. */
  readonly mostBytes: number;
  /** Private directory for sockets. */
  readonly directory: string;
}

/** A candidate that computes a sample of the live traffic. */
export interface ShadowRun {
  /** What was compared so far, one entry for each model that both releases have. */
  tallies(): ShadowTally[];
  /** Why a candidate runner has ended; undefined while all of them run. */
  failure(): MusterError | undefined;
  /** Ends the sampling. The candidate is left to be discarded. */
  stop(): Promise<void>;
}

/**
 * The live model that a candidate is compared with: the one that answers to its name. Both must take their requests
 * in the same way, since a sampled input is already pre-processed.
 */
function counterpart(
  candidate: ModelDeployment,
  live: readonly ModelDeployment[],
): ModelDeployment | undefined {
  const other = live.find(({ name }) => name === candidate.name);
  return other && pipelineOf(other) === pipelineOf(candidate) ? other : undefined;
}

const pipelineOf = ({ serving }: ModelDeployment): string => JSON.stringify(serving?.pipeline ?? null);

function socketPath(directory: string, index: number): string {
  if (process.platform === "win32") return `\\\\.\\pipe\\muster-shadow-${randomUUID()}`;
  const path = join(directory, `shadow-${index}.sock`);
  return Buffer.byteLength(path) <= MAX_SOCKET_PATH
    ? path
    : join(tmpdir(), `muster-shadow-${randomUUID()}.sock`);
}

/**
 * Has the candidates listen to the live runners, which sample what they answer.
 * @throws MusterError `runner.crashed`, `runner.hung`, `settings.invalid`; nothing is sampled then
 */
export async function startShadow(sides: ShadowSides, order: ShadowOrder): Promise<ShadowRun> {
  const shadow = randomUUID();
  const now = sides.live().flatMap(({ models }) => models);
  const tallies = new Map<string, ShadowTally>();
  const routes: TapOrder["routes"][number][] = [];
  for (const [index, { runner, models }] of sides.candidates.entries()) {
    const shared = models.flatMap((model) => counterpart(model, now) ?? []);
    if (shared.length === 0) continue;
    const path = socketPath(order.directory, index);
    await rm(path, { force: true });
    const intake = { kind: "shadow-intake", socketPath: path, mostBytes: order.mostBytes } as const;
    await runner.ask(intake, "shadow-ready", OPEN_SECONDS);
    for (const { name, version } of shared) {
      tallies.set(name, emptyShadowTally(name));
      routes.push({ model: name, version, socketPath: path });
    }
  }
  const unlisten = sides.listen(shadow, (models) => {
    for (const tally of models) {
      const known = tallies.get(tally.model);
      if (known) tallies.set(tally.model, addShadowTally(known, tally));
    }
  });
  const tapped = new Set<RunnerProcess>();
  const follow = () => {
    const live = sides.live();
    const asking = live.filter(({ models }) => models.some(({ name }) => tallies.has(name)));
    for (const { runner, models } of asking) {
      if (tapped.has(runner) || runner.ended) continue;
      tapped.add(runner);
      const own = routes.filter(({ model }) => models.some(({ name }) => name === model));
      const { samplePercent, cpuPercent } = order.rule;
      // Runners cannot ask each other how much is left of the budget: each has its part.
      const part = cpuPercent / asking.length;
      const { mostBytes } = order;
      runner.send({
        kind: "shadow",
        order: { shadow, routes: own, samplePercent, cpuPercent: part, mostBytes },
      });
    }
  };
  follow();
  const timer = setInterval(follow, FOLLOW_MS);
  return {
    tallies: () => [...tallies.values()],
    failure: () => sides.candidates.map(({ runner }) => runner.ended).find((ended) => ended !== undefined),
    stop: async () => {
      clearInterval(timer);
      for (const runner of tapped) runner.send({ kind: "shadow", order: null });
      unlisten();
      await Promise.all(routes.map(({ socketPath: path }) => rm(path, { force: true }).catch(() => {})));
    },
  };
}
