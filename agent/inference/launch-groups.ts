import { asMusterError, isMusterError, type MusterError } from "@muster/shared/errors";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { Deployment } from "./deployment.ts";
import type { LaunchedGroup } from "./group-context.ts";
import { groupsOf, type RunnerGroup } from "./groups.ts";
import { type Choice, ladderOf } from "./ladder/ladder.ts";
import { type LaunchContext, launch } from "./launch.ts";

/**
 * Starts a runner for each group of a release, one after the other: what serves meanwhile needs the processor too.
 * @param lower a group may go down its ladder, and stay without a runner where another one has one
 * @param signal ends the attempt and all runners
 * @throws MusterError what `launch` throws; no runner is left then
 */
export async function launchGroups(
  context: LaunchContext,
  deployment: Deployment,
  lower: boolean,
  signal: AbortSignal,
): Promise<LaunchedGroup[]> {
  const { release, previous } = deployment;
  const done: LaunchedGroup[] = [];
  let failure: MusterError | undefined;
  try {
    for (const group of groupsOf(deployment)) {
      const choices = ladderOf(group.models, previous);
      const result = await launchOne(context, release, group, lower ? choices : choices.slice(0, 1), signal);
      failure ??= result.failure;
      const { launched, position } = result;
      const fallen = result.failure && {
        position: launched ? position : choices.length,
        reason: result.failure.message,
        at: performance.now(),
      };
      done.push({ group, choices, launched, ...(fallen && { fallen }) });
      if (!launched && !lower) break;
    }
    const served = done.some(({ launched }) => launched);
    if (failure && (!lower || !served)) throw failure;
    return done;
  } catch (error) {
    await endGroups(done);
    throw error;
  }
}

/** The first choice that can be launched, with the failure of the very first one. */
async function launchOne(
  context: LaunchContext,
  release: ReleaseRef,
  { id }: RunnerGroup,
  choices: readonly Choice[],
  signal: AbortSignal,
): Promise<Pick<LaunchedGroup, "launched"> & { position: number; failure: MusterError | undefined }> {
  let failure: MusterError | undefined;
  for (const [position, { models }] of choices.entries())
    try {
      const launched = await launch(context, { release, id, models }, signal);
      return { launched, position, failure };
    } catch (error) {
      // A damaged file can be mended; what stands in for it meanwhile would hide that.
      if (signal.aborted || (position === 0 && isMusterError(error, "artifact.corrupted"))) throw error;
      failure ??= asMusterError(error);
    }
  return { launched: undefined, position: choices.length, failure };
}

/** Ends runners that are not wanted. */
export async function endGroups(groups: readonly LaunchedGroup[]): Promise<void> {
  const runners = groups.flatMap(({ launched }) => (launched ? [launched.runner] : []));
  for (const runner of runners) runner.end();
  await Promise.all(runners.map(({ exited }) => exited));
}
