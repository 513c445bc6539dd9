import { type BackoffRule, fullJitter } from "../backoff.ts";
/**
 * When to connect: a pure machine. The caller carries out the effects and feeds back what happened.
 * `failures` counts connections that were not stable, and sets how long the next wait may be.
 */
export type LinkState =
  | { readonly name: "idle" }
  | { readonly name: "waiting"; readonly failures: number; readonly delayMs: number }
  | { readonly name: "connecting"; readonly failures: number }
  | { readonly name: "online"; readonly failures: number }
  | { readonly name: "stopped" };

export type LinkEvent = "start" | "due" | "connected" | "lost" | "stable" | "stop";

/** `wait` and `await-stable` replace the timer that runs; `close` ends connection and timer. */
export type LinkEffect =
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "connect" }
  | { readonly do: "await-stable" }
  | { readonly do: "close" };

export interface ReconnectRule extends BackoffRule {
  /** The first connection waits for a random part of this, milliseconds: a site's boxes boot together. */
  startDelayMs: number;
}

export interface LinkStep {
  readonly state: LinkState;
  readonly effects: readonly LinkEffect[];
}

const stay = (state: LinkState): LinkStep => ({ state, effects: [] });

const waitFor = (failures: number, delayMs: number): LinkStep => ({
  state: { name: "waiting", failures, delayMs },
  effects: [{ do: "wait", ms: delayMs }],
});

/** What follows on `event`. An event that does not fit the state (a late timer, a second loss) changes nothing. */
export function stepLink(state: LinkState, event: LinkEvent, rule: ReconnectRule, random: number): LinkStep {
  if (event === "stop")
    return state.name === "stopped"
      ? stay(state)
      : { state: { name: "stopped" }, effects: [{ do: "close" }] };
  switch (`${state.name} ${event}` as const) {
    case "idle start":
      return waitFor(0, Math.round(random * rule.startDelayMs));
    case "waiting due":
      return { state: { name: "connecting", failures: failuresOf(state) }, effects: [{ do: "connect" }] };
    case "connecting connected":
      return { state: { name: "online", failures: failuresOf(state) }, effects: [{ do: "await-stable" }] };
    case "online stable":
      return stay({ name: "online", failures: 0 });
    case "connecting lost":
    case "online lost": {
      const failures = failuresOf(state) + 1;
      return waitFor(failures, fullJitter(rule, failures, random));
    }
    default:
      return stay(state);
  }
}

const failuresOf = (state: LinkState): number => ("failures" in state ? state.failures : 0);
