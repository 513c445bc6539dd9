import type { InferenceCounters, PowerHealth } from "@muster/shared/protocol/messages";
import { CONFIDENCE_EDGES, LATENCY_EDGES_MS } from "@muster/shared/protocol/metric-edges";
import type { Histogram } from "@muster/shared/protocol/model-evidence";
import { PROTOCOL_VERSION } from "@muster/shared/protocol/primitives";
import type { Database, Statement } from "better-sqlite3";
import type { FreshHeartbeat } from "../ingest/heartbeat-observer.ts";
import { dayTableName, dayTables, ensureDayTable, HEARTBEAT_COLUMNS } from "../storage/day-tables.ts";
import type { Scopes } from "./scopes.ts";

/** Bin and count by turns, of the bins that are not empty. */
type SparseBins = number[];

/** As it is stored: digests of known releases by number, edges only where they are not ours. */
type InferenceRow = [
  release: number | string | null,
  servingMs: number,
  crashes: number,
  inferences: number,
  failures: number,
  fallbacks: number,
  degraded: number,
  refused: number,
  cpuMs: number,
  energyMj: number | null,
  latency: SparseBins | Histogram,
  confidence: SparseBins | Histogram,
  ...shadow: [compared: number, agreed: number] | [],
];

interface HeartbeatRow {
  row: number;
  /** Number of its scope. */
  device: number;
  session: string;
  seq: number;
  at: number;
  received_at: number;
  uptime_seconds: number;
  agent_rss: number;
  runner_rss: number;
  load_per_core: number;
  free_memory_mib: number;
  free_disk_mib: number;
  temperature_c: number | null;
  runner_restarts: number;
  outbox_bytes: number;
  power: string | null;
  operational_ms: number;
  connected_ms: number;
  sync_succeeded: number;
  sync_failed: number;
  inference: string;
}

/** Heartbeats as they came, in the day tables of telemetry.db. */
export class HeartbeatRows {
  readonly #db: Database;
  readonly #scopes: Scopes;
  readonly #isRelease: (digest: string) => boolean;
  readonly #inserts = new Map<string, Statement>();

  constructor(db: Database, scopes: Scopes, isRelease: (digest: string) => boolean) {
    this.#db = db;
    this.#scopes = scopes;
    this.#isRelease = isRelease;
  }

  /** Call it inside a transaction. */
  insert({ row, device, beat, receivedAt }: FreshHeartbeat): void {
    const { health, agent } = beat;
    this.#insertInto(receivedAt).run(
      row,
      this.#scopes.idOf("device", device),
      beat.session,
      beat.seq,
      beat.at,
      receivedAt,
      beat.uptimeSeconds,
      health.agentRss,
      health.runnerRss,
      health.loadPerCore,
      health.freeMemoryMiB,
      health.freeDiskMiB,
      health.temperatureC,
      health.runnerRestarts,
      health.outboxBytes,
      health.power ? JSON.stringify(health.power) : null,
      agent.operationalMs,
      agent.connectedMs,
      agent.syncSucceeded,
      agent.syncFailed,
      JSON.stringify(beat.inference.map((entry) => this.#toRow(entry))),
    );
  }

  /** Rows after `row` in the order in which they came, at most `limit`. */
  after(row: number, limit: number): FreshHeartbeat[] {
    const found = dayTables(this.#db, "heartbeats").flatMap((table) =>
      this.#db
        .prepare<[number, number], HeartbeatRow>(`SELECT * FROM ${table} WHERE row > ? ORDER BY row LIMIT ?`)
        .all(row, limit),
    );
    return found
      .sort((a, b) => a.row - b.row)
      .slice(0, limit)
      .map((each) => this.#fromRow(each));
  }

  /** Number of the newest row, 0 where there is none. */
  newest(): number {
    return Math.max(
      0,
      ...dayTables(this.#db, "heartbeats").map(
        (table) => this.#db.prepare<[], number>(`SELECT max(row) FROM ${table}`).pluck().get() ?? 0,
      ),
    );
  }

  /** Tables may have been dropped, or their creation rolled back. */
  forgetTables(): void {
    this.#inserts.clear();
  }

  #insertInto(at: number): Statement {
    const name = dayTableName("heartbeats", at);
    let insert = this.#inserts.get(name);
    if (!insert) {
      ensureDayTable(this.#db, "heartbeats", name);
      insert = this.#db.prepare(
        `INSERT INTO ${name} (${HEARTBEAT_COLUMNS.join(", ")})
         VALUES (${HEARTBEAT_COLUMNS.map(() => "?").join(", ")})`,
      );
      this.#inserts.set(name, insert);
    }
    return insert;
  }

  #toRow(entry: InferenceCounters): InferenceRow {
    const { release, servingMs, crashes, inferences, failures, fallbacks, shadow } = entry;
    const { degraded, refused, cpuMs, energyMj } = entry;
    return [
      // A device that makes digests up must not fill the table of scopes.
      release !== null && this.#isRelease(release) ? this.#scopes.idOf("release", release) : release,
      servingMs,
      crashes,
      inferences,
      failures,
      fallbacks,
      degraded,
      refused,
      cpuMs,
      energyMj,
      toBins(entry.latency, LATENCY_EDGES_MS),
      toBins(entry.confidence, CONFIDENCE_EDGES),
      ...(shadow ? ([shadow.compared, shadow.agreed] as const) : ([] as const)),
    ];
  }

  #fromRow(row: HeartbeatRow): FreshHeartbeat {
    const inference = (JSON.parse(row.inference) as InferenceRow[]).map((entry): InferenceCounters => {
      const [release, servingMs, crashes, inferences, failures, fallbacks, ...rest] = entry;
      const [degraded, refused, cpuMs, energyMj, latency, confidence, ...shadow] = rest;
      const [compared, agreed] = shadow;
      return {
        release: typeof release === "number" ? (this.#scopes.byId(release)?.name ?? null) : release,
        servingMs,
        crashes,
        inferences,
        failures,
        fallbacks,
        degraded,
        refused,
        cpuMs,
        energyMj,
        latency: fromBins(latency, LATENCY_EDGES_MS),
        confidence: fromBins(confidence, CONFIDENCE_EDGES),
        ...(compared !== undefined && agreed !== undefined && { shadow: { compared, agreed } }),
      };
    });
    return {
      row: row.row,
      device: this.#scopes.byId(row.device)?.name ?? "",
      receivedAt: row.received_at,
      beat: {
        v: PROTOCOL_VERSION,
        session: row.session,
        seq: row.seq,
        at: row.at,
        uptimeSeconds: row.uptime_seconds,
        health: {
          agentRss: row.agent_rss,
          runnerRss: row.runner_rss,
          loadPerCore: row.load_per_core,
          freeMemoryMiB: row.free_memory_mib,
          freeDiskMiB: row.free_disk_mib,
          temperatureC: row.temperature_c,
          runnerRestarts: row.runner_restarts,
          outboxBytes: row.outbox_bytes,
          ...(row.power !== null && { power: JSON.parse(row.power) as PowerHealth }),
        },
        agent: {
          operationalMs: row.operational_ms,
          connectedMs: row.connected_ms,
          syncSucceeded: row.sync_succeeded,
          syncFailed: row.sync_failed,
        },
        inference,
      },
    };
  }
}

function toBins(histogram: Histogram, ours: readonly number[]): SparseBins | Histogram {
  const { edges, counts } = histogram;
  if (edges.length !== ours.length || edges.some((edge, index) => edge !== ours[index])) return histogram;
  return counts.flatMap((count, bin) => (count > 0 && bin <= ours.length ? [bin, count] : []));
}

function fromBins(stored: SparseBins | Histogram, ours: readonly number[]): Histogram {
  if (!Array.isArray(stored)) return stored;
  const counts = new Array<number>(ours.length + 1).fill(0);
  for (let at = 0; at + 1 < stored.length; at += 2) counts[stored[at]!] = stored[at + 1]!;
  return { edges: ours as number[], counts };
}
