import { MusterError } from "@muster/shared/errors";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import { type Kysely, type Selectable, sql } from "kysely";
import type { Stores } from "../storage/database.ts";
import type { DevicesTable } from "../storage/tables/fleet.ts";
import type { ControlTables } from "../storage/tables/index.ts";
import type { Presence } from "./presence.ts";
import { detailOf, eventEntry, summaryOf, updateEntry } from "./rows.ts";
import { noLiveness, siteTree } from "./sites.ts";
import type {
  DeviceDetail,
  DeviceQuery,
  DeviceSummary,
  FleetSummary,
  Page,
  ReleaseCount,
  SiteSummary,
  TimelineEntry,
} from "./types.ts";

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;
const MIN_PREFIX = 4;

/** What the fleet looks like: read-only questions of operators, the page and the CLI. */
export class Fleet {
  readonly #stores: Stores;
  readonly #presence: Presence;
  readonly #isConnected: (device: string) => boolean;

  constructor(stores: Stores, presence: Presence, isConnected: (device: string) => boolean) {
    this.#stores = stores;
    this.#presence = presence;
    this.#isConnected = isConnected;
  }

  /** Devices by site and name. @throws MusterError `request.invalid` for a limit or cursor that is none */
  async list(query: DeviceQuery = {}): Promise<Page<DeviceSummary>> {
    const limit = query.limit ?? DEFAULT_LIMIT;
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT)
      throw new MusterError("request.invalid", `A page has 1 to ${MAX_LIMIT} devices, not ${limit}.`);
    let after = query.cursor === undefined ? undefined : readCursor(query.cursor);
    const items: DeviceSummary[] = [];
    // Liveness is not in the database: where it filters, many rows may have to be read for one.
    const size = query.liveness === undefined ? limit + 1 : MAX_LIMIT + 1;
    for (;;) {
      const rows = await selectPage(this.#stores.control, query, after, size);
      for (const row of rows) {
        const live = this.#liveOf(row.id);
        if (query.liveness !== undefined && live.liveness !== query.liveness) continue;
        if (items.length === limit) return { items, next: cursorOf(items.at(-1)) };
        items.push(summaryOf(row, live));
      }
      const last = rows.at(-1);
      if (rows.length < size || !last) return { items, next: null };
      after = [last.site, last.name];
    }
  }

  /**
   * One device by id, `site/name`, a name that only one device has, or the beginning of an id.
   * @throws MusterError `request.not-found`, or `request.conflict` when it names several
   */
  async get(reference: string): Promise<DeviceDetail> {
    const row = await this.#find(reference);
    const stored = await this.#stores.telemetry
      .selectFrom("result_counts")
      .select("stored")
      .where("device", "=", row.id)
      .executeTakeFirst();
    return detailOf(row, this.#liveOf(row.id), {
      connected: this.#isConnected(row.id),
      storedResults: stored?.stored ?? 0,
    });
  }

  /** The id behind a reference as `get` takes it. */
  async resolve(reference: string): Promise<string> {
    return (await this.#find(reference)).id;
  }

  async sites(): Promise<SiteSummary[]> {
    return siteTree(this.#presence.all());
  }

  async summary(): Promise<FleetSummary> {
    const summary: FleetSummary = {
      devices: 0,
      active: 0,
      revoked: 0,
      liveness: noLiveness(),
      releases: await this.releaseCounts(),
      updating: await this.#countReported("$.update.phase"),
      outcomes: await this.#countReported("$.lastResult.outcome"),
      storedResults: await this.#storedResults(),
    };
    for (const { status, liveness } of this.#presence.all()) {
      summary.devices += 1;
      summary[status] += 1;
      if (status === "active") summary.liveness[liveness] += 1;
    }
    return summary;
  }

  /** How many active devices run which release, most devices first. */
  async releaseCounts(): Promise<ReleaseCount[]> {
    const rows = await this.#stores.control
      .selectFrom("devices")
      .select(({ fn }) => [
        "running_digest",
        fn.countAll<number>().as("devices"),
        fn.max("reported").as("reported"),
      ])
      .where("status", "=", "active")
      .groupBy("running_digest")
      .execute();
    return rows
      .map(({ running_digest, devices, reported }) => ({
        release: running_digest === null || reported === null ? null : runningOf(reported),
        devices,
      }))
      .sort((a, b) => b.devices - a.devices);
  }

  /** Updates and events of a device, newest first. `before` ends the page before, by `at`. */
  async timeline(
    reference: string,
    page: { limit?: number; before?: number } = {},
  ): Promise<TimelineEntry[]> {
    const device = await this.resolve(reference);
    const limit = Math.min(Math.max(1, page.limit ?? DEFAULT_LIMIT), MAX_LIMIT);
    const before = page.before ?? Number.MAX_SAFE_INTEGER;
    const updates = await this.#stores.control
      .selectFrom("device_updates")
      .selectAll()
      .where("device", "=", device)
      .where("at", "<", before)
      .orderBy("at", "desc")
      .limit(limit)
      .execute();
    const events = await this.#stores.control
      .selectFrom("device_events")
      .selectAll()
      .where("device", "=", device)
      .where("at", "<", before)
      .orderBy("at", "desc")
      .limit(limit)
      .execute();
    return [...updates.map(updateEntry), ...events.map(eventEntry)]
      .sort((a, b) => b.at - a.at)
      .slice(0, limit);
  }

  #liveOf(device: string) {
    return { liveness: this.#presence.livenessOf(device), lastSeenAt: this.#presence.lastSeenAt(device) };
  }

  async #find(reference: string): Promise<Selectable<DevicesTable>> {
    const devices = this.#stores.control.selectFrom("devices").selectAll();
    const exact = await devices.where("id", "=", reference).executeTakeFirst();
    if (exact) return exact;
    const slash = reference.lastIndexOf("/");
    const named = devices.where("name", "=", reference.slice(slash + 1)).limit(2);
    const byName = await (slash < 0 ? named : named.where("site", "=", reference.slice(0, slash))).execute();
    const found =
      byName.length > 0 || slash >= 0 || reference.length < MIN_PREFIX || !/^d[a-z2-7]*$/.test(reference)
        ? byName
        : await devices.where("id", ">=", reference).where("id", "<", `${reference}~`).limit(2).execute();
    const [only, other] = found;
    if (!only) throw new MusterError("request.not-found", `There is no device ${reference}.`);
    if (other)
      throw new MusterError(
        "request.conflict",
        `${reference} names several devices, e.g. ${only.site}/${only.name} (${only.id}) and ${other.site}/${other.name} (${other.id}).`,
      );
    return only;
  }

  async #countReported(path: "$.update.phase" | "$.lastResult.outcome"): Promise<Record<string, number>> {
    const value = sql<string | null>`json_extract(reported, ${sql.lit(path)})`;
    const rows = await this.#stores.control
      .selectFrom("devices")
      .select(({ fn }) => [value.as("value"), fn.countAll<number>().as("devices")])
      .where("status", "=", "active")
      .groupBy(value)
      .execute();
    return Object.fromEntries(rows.flatMap((row) => (row.value === null ? [] : [[row.value, row.devices]])));
  }

  async #storedResults(): Promise<number> {
    const row = await this.#stores.telemetry
      .selectFrom("result_counts")
      .select(({ fn }) => fn.sum<number | null>("stored").as("stored"))
      .executeTakeFirst();
    return row?.stored ?? 0;
  }
}

const runningOf = (reported: string): ReleaseRef | null =>
  (JSON.parse(reported) as { running: ReleaseRef | null }).running;

const cursorOf = (last: DeviceSummary | undefined): string =>
  Buffer.from(JSON.stringify([last?.site, last?.name])).toString("base64url");

function readCursor(cursor: string): [site: string, name: string] {
  try {
    const [site, name] = JSON.parse(Buffer.from(cursor, "base64url").toString()) as unknown[];
    if (typeof site === "string" && typeof name === "string") return [site, name];
  } catch {
    // Falls through to the one error below.
  }
  throw new MusterError("request.invalid", "This is not the cursor of a page of devices.");
}

const escapeLike = (text: string): string => text.replace(/[\\%_]/g, "\\$&");

async function selectPage(
  db: Kysely<ControlTables>,
  query: DeviceQuery,
  after: [site: string, name: string] | undefined,
  limit: number,
): Promise<Selectable<DevicesTable>[]> {
  let devices = db.selectFrom("devices").selectAll();
  const { site, status, release, text } = query;
  if (site !== undefined)
    devices = devices.where(({ eb, or }) =>
      or([eb("site", "=", site), sql<boolean>`site LIKE ${`${escapeLike(site)}/%`} ESCAPE '\\'`]),
    );
  if (status !== undefined) devices = devices.where("status", "=", status);
  if (release !== undefined) devices = devices.where("running_digest", "=", release);
  if (text !== undefined) {
    const pattern = `%${escapeLike(text.toLowerCase())}%`;
    devices = devices.where(
      sql<boolean>`(lower(name) LIKE ${pattern} ESCAPE '\\' OR id LIKE ${pattern} ESCAPE '\\')`,
    );
  }
  if (after)
    devices = devices.where(({ eb, or, and }) =>
      or([eb("site", ">", after[0]), and([eb("site", "=", after[0]), eb("name", ">", after[1])])]),
    );
  return devices.orderBy("site").orderBy("name").limit(limit).execute();
}
