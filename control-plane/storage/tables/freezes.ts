/** Times in which nothing new is told; a row is never deleted, so that what held a rollout can be told later. */
export interface FreezesTable {
  id: string;
  /** Site path with all below it; null for every site. */
  site: string | null;
  reason: string;
  /** Milliseconds since the epoch, as all times here. */
  from_at: number;
  /** As planned. */
  to_at: number;
  /** Names of operators. */
  created_by: string;
  created_at: number;
  ended_by: string | null;
  /** When it was ended early. */
  ended_at: number | null;
}

export interface FreezeTables {
  freezes: FreezesTable;
}
