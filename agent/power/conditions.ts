/** What the state of the box allows its runners; told by the agent core, obeyed by schedule and cascade. */
export interface Conditions {
  /** The box is too hot for the primary variant: rungs of the cascade that answer for `heat` go first. */
  readonly heat: boolean;
  /** The box draws too much power for the primary variant: rungs that answer for `power` go first. */
  readonly power: boolean;
  readonly bestEffort: {
    /** Most best-effort requests computed in a second, over all models of a runner; null does not bind, 0 refuses all. */
    readonly perSecond: number | null;
    /** Best-effort requests are refused until then, milliseconds since the epoch; null does not bind. */
    readonly deferredUntil: number | null;
  };
}

/** Nothing binds. */
export const FAIR: Conditions = {
  heat: false,
  power: false,
  bestEffort: { perSecond: null, deferredUntil: null },
};
