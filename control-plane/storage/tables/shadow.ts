/** Signed reports of shadows, each checked against the key that its device enrolled with. */
export interface ShadowReportsTable {
  device: string;
  /** Of the directive that asked for it. */
  generation: number;
  rollout: string | null;
  /** JSON, as it was signed. */
  report: string;
  /** Milliseconds since the epoch. */
  received_at: number;
}

export interface ShadowTables {
  shadow_reports: ShadowReportsTable;
}
