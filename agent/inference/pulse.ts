import type { RunnerProcess } from "./runner-process.ts";
import { Watchdog } from "./watchdog.ts";

/** A runner may be silent for so long in any case, milliseconds. */
const LEAST_SILENCE_MS = 1_000;

export interface PulseRules {
  /** Time between two pings, seconds. */
  readonly pingSeconds: number;
  /** Longest silence, seconds; a batch that was announced may take longer. */
  readonly hangSeconds: number;
}

/** Longest silence of a runner, and shortest limit of a batch, milliseconds. */
export const silenceMs = ({ hangSeconds }: Pick<PulseRules, "hangSeconds">): number =>
  Math.max(LEAST_SILENCE_MS, hangSeconds * 1000);

/**
 * Feels the pulse of a runner until it ends, and kills one that hangs: one that is silent for too long, as it is while
 * the runtime computes, or one that tells of a batch that takes too long.
 * @param onBeat told its resident memory, bytes
 */
export function feelPulse(
  runner: RunnerProcess,
  rules: PulseRules,
  onBeat: (rssBytes: number) => void,
): void {
  const pingMs = rules.pingSeconds * 1000;
  const watchdog = new Watchdog();
  let limitMs = silenceMs(rules);
  const beat = () => {
    const count = watchdog.beat(Math.max(1, Math.round(limitMs / pingMs)));
    if (count === "hung") runner.hang(`was silent for ${limitMs / 1000} s`);
    else runner.send({ kind: "ping", count });
  };
  const timer = setInterval(beat, pingMs);
  void runner.exited.then(() => clearInterval(timer));
  runner.onPulse((sign) => {
    if (sign.kind === "batch") {
      watchdog.alive();
      limitMs = sign.limitMs ?? silenceMs(rules);
      return;
    }
    watchdog.answered(sign.count);
    const { running, rssBytes } = sign;
    if (running && running.ms > running.limitMs)
      runner.hang(`has computed a batch of model ${running.model} for ${Math.round(running.ms)} ms`);
    else onBeat(rssBytes);
  });
  beat();
}
