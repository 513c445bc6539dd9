import type { Heartbeat } from "@muster/shared/protocol/messages";
import type { Database } from "better-sqlite3";
import type { HeartbeatEntry } from "./entries.ts";

/** A heartbeat that comes for the first time: repeats never get here. */
export interface FreshHeartbeat {
  device: string;
  beat: Heartbeat;
  /** Milliseconds since the epoch, by the clock of the control plane. */
  receivedAt: number;
  /** Place in the order of all heartbeats that were ever stored; grows. */
  row: number;
}

/** Somebody who counts what heartbeats say, exactly once each, also over a restart. */
export interface HeartbeatObserver {
  /**
   * Inside the transaction of telemetry.db that stores these heartbeats: what it writes stands or falls with them.
   * It must not take them as facts yet, since the transaction may be rolled back and tried again.
   */
  store?(db: Database, beats: readonly FreshHeartbeat[]): void;
  /** The transaction is committed: memory may follow. Called in the order of the commits. */
  stored(beats: readonly FreshHeartbeat[]): void;
}

/** The observer that keeps the heartbeats themselves, and says which of them are new. */
export interface HeartbeatBook extends HeartbeatObserver {
  /** Those that come for the first time, numbered. Changes nothing: they count once `stored` is called. */
  select(entries: readonly HeartbeatEntry[]): FreshHeartbeat[];
  store(db: Database, beats: readonly FreshHeartbeat[]): void;
  /** Tables may have been dropped, or what a transaction made was rolled back. */
  forgetTables(): void;
}
