import type { MusterError } from "@muster/shared/errors";
import { MemoryWatch } from "./memory.ts";
import type { LogPort } from "./ports.ts";
import { feelPulse, type PulseRules } from "./pulse.ts";
import type { RunnerProcess } from "./runner-process.ts";

export interface RunnerWatch {
  readonly rules: PulseRules;
  /** Bytes. */
  readonly memoryLimit: number;
  readonly group: string;
  readonly log: LogPort;
  /** Told its resident memory, bytes, and why a fresh one should take its place, if one should. */
  readonly onBeat: (rssBytes: number, why: string | undefined) => void;
  /** Told why it ended without having been told to. */
  readonly onEnd: (failure: MusterError) => void;
}

/** Watches a runner that serves, until it ends: its pulse, its memory and its end. */
export function watchRunner(
  runner: RunnerProcess,
  { rules, memoryLimit, group, log, onBeat, onEnd }: RunnerWatch,
): void {
  const memory = new MemoryWatch(memoryLimit);
  feelPulse(runner, rules, (rssBytes) => onBeat(rssBytes, memory.judge(rssBytes, performance.now())));
  void runner.exited.then((failure) => {
    if (!failure) return;
    log.error({ runner: runner.pid, group, code: failure.code }, failure.message);
    onEnd(failure);
  });
}
