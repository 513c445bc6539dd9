import { MusterError } from "@muster/shared/errors";
import { Reach } from "../people/reach.ts";
import type { Stores } from "../storage/database.ts";
import { type Relabelling, relabel } from "./bulk-labels.ts";
import type { Directory } from "./directory.ts";
import { listDevices } from "./listing.ts";
import { findDevice } from "./lookup.ts";
import { detailOf, eventEntry, summaryOf, updateEntry } from "./rows.ts";
import { noLiveness, siteTree } from "./sites.ts";
import { releaseCounts, summarize } from "./summary.ts";
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

const DEFAULT_ENTRIES = 100;
const MAX_ENTRIES = 1000;

/** What operators, the page and the CLI ask about the fleet. */
export class Fleet {
  readonly #stores: Stores;
  readonly #directory: Directory;
  readonly #isConnected: (device: string) => boolean;

  constructor(stores: Stores, directory: Directory, isConnected: (device: string) => boolean) {
    this.#stores = stores;
    this.#directory = directory;
    this.#isConnected = isConnected;
  }

  /**
   * Devices by site and name.
   * @throws MusterError `request.invalid` for a limit or cursor that is none, `selector.invalid`
   */
  list(query: DeviceQuery = {}, reach: Reach = Reach.everywhere): Page<DeviceSummary> {
    const { items, next } = listDevices(this.#current(), query, reach);
    return { items: items.map(summaryOf), next };
  }

  /**
   * One device by id, `site/name`, a name that only one device has, or the beginning of an id.
   * @throws MusterError `request.not-found`, or `request.conflict` when it names several
   */
  async get(reference: string): Promise<DeviceDetail> {
    const directory = this.#current();
    const device = findDevice(directory, reference);
    const { id } = device;
    const row = await this.#stores.control
      .selectFrom("devices")
      .selectAll()
      .where("id", "=", id)
      .executeTakeFirstOrThrow();
    const stored = await this.#stores.telemetry
      .selectFrom("result_counts")
      .select(["stored", "withheld"])
      .where("device", "=", id)
      .executeTakeFirst();
    return detailOf(device, row, {
      groups: directory.groupsOf(device),
      connected: this.#isConnected(id),
      storedResults: stored?.stored ?? 0,
      withheldResults: stored?.withheld ?? 0,
    });
  }

  /** The id behind a reference as `get` takes it, of the devices whose sites are seen. */
  resolve(reference: string, isSeen?: (site: string) => boolean): string {
    return findDevice(this.#current(), reference, isSeen).id;
  }

  /** The site tree: every path with devices or settings, and those above it. */
  sites(): SiteSummary[] {
    const directory = this.#current();
    return siteTree(directory.all(), directory.sites);
  }

  /** @throws MusterError `request.not-found` for a path with neither devices nor settings at or below it */
  site(path: string): SiteSummary {
    const found = this.sites().find(({ site }) => site === path);
    if (!found) throw new MusterError("request.not-found", `There is no site ${path}.`);
    return found;
  }

  /** As `site`, for a path that nothing is known of yet too. */
  siteOrNew(path: string): SiteSummary {
    const found = this.sites().find(({ site }) => site === path);
    if (found) return found;
    const { sites } = this.#directory;
    return {
      site: path,
      devices: 0,
      revoked: 0,
      liveness: noLiveness(),
      settings: sites.settingsOf(path),
      effective: sites.effective(path),
    };
  }

  /** As `relabel` of bulk-labels.ts. */
  async relabel(
    selector: string,
    labels: Record<string, string | null>,
    dryRun: boolean,
  ): Promise<Relabelling> {
    return await relabel(this.#stores, this.#directory, { selector, labels, dryRun });
  }

  async summary(reach: Reach = Reach.everywhere): Promise<FleetSummary> {
    const devices = [...this.#current().all()].filter(({ site }) => reach.covers(site));
    const storedResults = reach.isEverywhere
      ? await this.#storedResults()
      : await this.#storedResultsOf(new Set(devices.map(({ id }) => id)));
    return { ...summarize(devices), storedResults };
  }

  /** How many active devices run which release, most devices first. */
  releaseCounts(): ReleaseCount[] {
    return releaseCounts(this.#current().all());
  }

  /** Updates and events of a device, newest first. `before` ends the page before, by `at`. */
  async timeline(
    reference: string,
    page: { limit?: number; before?: number } = {},
  ): Promise<TimelineEntry[]> {
    const device = this.resolve(reference);
    const limit = Math.min(Math.max(1, page.limit ?? DEFAULT_ENTRIES), MAX_ENTRIES);
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

  #current(): Directory {
    this.#directory.refresh();
    return this.#directory;
  }

  async #storedResults(): Promise<number> {
    const row = await this.#stores.telemetry
      .selectFrom("result_counts")
      .select(({ fn }) => fn.sum<number | null>("stored").as("stored"))
      .executeTakeFirst();
    return row?.stored ?? 0;
  }

  async #storedResultsOf(devices: ReadonlySet<string>): Promise<number> {
    const rows = await this.#stores.telemetry
      .selectFrom("result_counts")
      .select(["device", "stored"])
      .execute();
    return rows.reduce((sum, { device, stored }) => sum + (devices.has(device) ? stored : 0), 0);
  }
}
