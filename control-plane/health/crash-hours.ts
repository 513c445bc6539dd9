import type { Heartbeat } from "@muster/shared/protocol/messages";
import { type Static, Type } from "typebox";

const HOUR_MS = 3_600_000;
/** Releases of one device told apart within an hour; it switches between two at most, unless it makes them up. */
const MOST_RELEASES = 16;
/** Stands for models without a release, and for releases beyond the limit. */
const NO_RELEASE = "";

const Part = Type.Object({ ms: Type.Number(), crashes: Type.Number() });
type Part = Static<typeof Part>;

/** Running totals of one device within one clock hour (UTC), as they are stored. */
export const CrashHour = Type.Object({
  /** Which hour: hours since the epoch. */
  hour: Type.Number(),
  operational: Part,
  /** By release digest; the empty text stands for models without one. */
  serving: Type.Record(Type.String(), Part),
});
export type CrashHour = Static<typeof CrashHour>;

export const newCrashHour = (at: number): CrashHour => ({
  hour: Math.floor(at / HOUR_MS),
  operational: { ms: 0, crashes: 0 },
  serving: {},
});

export const copyCrashHour = ({ hour, operational, serving }: CrashHour): CrashHour => {
  const copy: CrashHour = { hour, operational: { ...operational }, serving: {} };
  for (const key in serving) copy.serving[key] = { ...serving[key]! };
  return copy;
};

/** Time that is void by this heartbeat, milliseconds. */
export interface VoidTime {
  operationalMs: number;
  /** In the order of `beat.inference`. */
  servingMs: readonly number[];
}

/**
 * Time that does not count as crash-free. Each crash voids one hour of the device, at most its time in the clock hour
 * (UTC) in which the crash was told: so an hour with a crash is void as a whole, what came before the crash too, and
 * a second crash in it changes nothing. Serving time is void by crashes of the same release, operational time by
 * crashes of any. Void times are sums like all others: they add up over devices, sites, classes and releases.
 *
 * `state` is brought up to date; a heartbeat of another hour begins a new one.
 */
export function voidTime(
  state: CrashHour,
  { agent, inference }: Pick<Heartbeat, "agent" | "inference">,
): VoidTime {
  const crashes = inference.reduce((sum, entry) => sum + entry.crashes, 0);
  const operationalMs = voidOf(state.operational, agent.operationalMs, crashes);
  const servingMs = inference.map((entry) => {
    const part = partOf(state, entry.release ?? NO_RELEASE);
    return voidOf(part, entry.servingMs, entry.crashes);
  });
  return { operationalMs, servingMs };
}

function partOf({ serving }: CrashHour, release: string): Part {
  const key = serving[release] || Object.keys(serving).length < MOST_RELEASES ? release : NO_RELEASE;
  serving[key] ??= { ms: 0, crashes: 0 };
  return serving[key];
}

function voidOf(part: Part, ms: number, crashes: number): number {
  const wasVoid = part.crashes > 0 ? part.ms : 0;
  part.ms += ms;
  part.crashes += crashes;
  return (part.crashes > 0 ? part.ms : 0) - wasVoid;
}
