import { setTimeout as sleep } from "node:timers/promises";
import type { DriftBody } from "@muster/shared/protocol/drift-window";
import type { OutboxRecord } from "@muster/shared/protocol/messages";
import type { Database } from "better-sqlite3";
import type { Place } from "../health/groups.ts";
import { sitesAbove } from "../health/groups.ts";
import type { Scopes } from "../health/scopes.ts";
import type { FreshBatch } from "../ingest/entries.ts";
import type { RecordObserver } from "../ingest/record-observer.ts";
import type { Stores } from "../storage/database.ts";
import { bucketOf, DriftStore, GRAIN_MS, GRAINS } from "./drift-store.ts";
import { addSums, type DriftSums, noSums, sumsOfWindow } from "./drift-sums.ts";
import type { ReferenceBook } from "./reference-book.ts";
import { nameOf, type Standing, Standings } from "./standings.ts";

export interface DriftLedgerPorts {
  readonly references: ReferenceBook;
  /** Where a device stands; undefined for one that is not known. */
  placeOf(device: string): Place | undefined;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** Windows of a device that was away for longer count for the time at which they came, milliseconds. */
const OLDEST_MS = 7 * GRAIN_MS["1d"];
/** Rows deleted in one transaction, and the pause behind it, milliseconds. */
const PRUNED_AT_ONCE = 500;
const PAUSE_MS = 10;

interface Window {
  readonly device: string;
  readonly receivedAt: number;
  readonly body: DriftBody;
}

/**
 * Adds windows of devices up by device, site and every site above, class and fleet, by the hour and by the day, in
 * the transaction that stores the position of their outbox: each counts exactly once.
 */
export class DriftLedger implements RecordObserver {
  readonly book: DriftStore;
  readonly standings = new Standings();
  readonly #scopes: Scopes;
  readonly #stores: Stores;
  readonly #ports: DriftLedgerPorts;
  /** Windows that no registered release has a reference for, or with other bins than its own. */
  refused = 0;

  constructor(stores: Stores, scopes: Scopes, ports: DriftLedgerPorts) {
    this.#stores = stores;
    this.#scopes = scopes;
    this.#ports = ports;
    this.book = new DriftStore(stores.telemetryRaw);
    for (const { device, model, standing } of this.book.standings())
      this.standings.put(device, model, JSON.parse(standing) as Standing);
  }

  async prepare(batches: readonly FreshBatch[]): Promise<void> {
    for (const { body } of windowsOf(batches)) await this.#ports.references.read(body);
  }

  store(_db: Database, batches: readonly FreshBatch[]): void {
    const sums = new Map<string, { scope: number; series: number; at: number; sums: DriftSums }>();
    for (const window of windowsOf(batches)) {
      if (!this.#fits(window.body)) continue;
      const { device, body } = window;
      const series = this.book.seriesId(body);
      const at = momentOf(window);
      for (const scope of this.#scopesOf(device)) {
        const key = `${scope}/${series}/${bucketOf("1h", at)}`;
        const known = sums.get(key) ?? { scope, series, at, sums: noSums() };
        addSums(known.sums, sumsOfWindow(body));
        sums.set(key, known);
      }
      const standing = standingOf(window);
      if (standing) this.book.putStanding({ device, ...rowOf(nameOf(body), standing) });
    }
    for (const { scope, series, at, sums: more } of sums.values())
      for (const grain of GRAINS) {
        const bucket = bucketOf(grain, at);
        const total = this.book.get(grain, scope, bucket, series) ?? noSums();
        addSums(total, more);
        this.book.put(grain, scope, bucket, series, total);
      }
  }

  stored(batches: readonly FreshBatch[]): void {
    for (const window of windowsOf(batches)) {
      if (!this.#fits(window.body)) {
        this.refused += 1;
        continue;
      }
      const standing = standingOf(window);
      if (standing) this.standings.put(window.device, nameOf(window.body), standing);
    }
  }

  /** Deletes what was kept for long enough, a little at a time. */
  async prune(): Promise<void> {
    const now = this.#ports.now();
    await this.#stores.writeTelemetry(() => this.book.pruneStandings(now - OLDEST_MS));
    for (const grain of GRAINS)
      while ((await this.#stores.writeTelemetry(() => this.book.prune(grain, now, PRUNED_AT_ONCE))) > 0)
        await sleep(PAUSE_MS);
  }

  /** Bins come from the signed reference set; a window with others would spoil the sums. */
  #fits(body: DriftBody): boolean {
    const reference = this.#ports.references.known(body);
    if (reference?.digest !== body.reference) return false;
    const { features } = reference.set;
    // Names come from devices: one such as "constructor" is a member of every object.
    return Object.entries(body.features).every(
      ([feature, counts]) =>
        Object.hasOwn(features, feature) && features[feature]!.counts.length === counts.length,
    );
  }

  #scopesOf(device: string): number[] {
    const place = this.#ports.placeOf(device);
    const own = this.#scopes.idOf("device", device);
    if (!place) return [own];
    // Classes that health keeps figures of: devices may make them up.
    const ofClass = this.#scopes.known("class", place.hardwareClass);
    const sites = sitesAbove(place.site).map((site) => this.#scopes.idOf("site", site));
    return [own, ...sites, ...(ofClass === undefined ? [] : [ofClass])];
  }
}

function* windowsOf(batches: readonly FreshBatch[]): Iterable<Window> {
  for (const { device, receivedAt, records } of batches)
    for (const record of records) if (isDrift(record)) yield { device, receivedAt, body: record.body };
}

const isDrift = (record: OutboxRecord): record is Extract<OutboxRecord, { kind: "drift" }> =>
  record.kind === "drift";

/** The clock of a device may be wrong: no window is of the future, or of another age. */
const momentOf = ({ body: { to }, receivedAt }: Window): number =>
  to > receivedAt || to < receivedAt - OLDEST_MS ? receivedAt : to;

function standingOf({ body, receivedAt }: Window): Standing | undefined {
  const { release, variant, againstReference, againstBaseline } = body;
  if (!againstReference && !againstBaseline) return undefined;
  return { release, variant, at: receivedAt, againstReference, againstBaseline };
}

const rowOf = (model: string, standing: Standing) => ({
  model,
  release: standing.release,
  at: standing.at,
  standing: JSON.stringify(standing),
});
