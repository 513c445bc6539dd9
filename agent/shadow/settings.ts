/** Limits of a shadow on this box. */
export interface ShadowSettings {
  /** Memory that stays free while a candidate runs beside the live release, bytes. */
  readonly reserveBytes: number;
  /** Largest data of one request that is copied to the candidate, bytes. */
  readonly mostBytes: number;
  /** Private directory for the candidate's sockets. */
  readonly directory: string;
  /** Time between two looks at what was compared, milliseconds. */
  readonly lookMs: number;
}

/** What no setting of the agent decides. */
export const DEFAULT_SHADOW_SETTINGS = { lookMs: 500 };
