import { MusterError } from "@muster/shared/errors";
import type { Database } from "better-sqlite3";
import type { Stores } from "../storage/database.ts";
import { asStorageError } from "../storage/errors.ts";
import { AttemptBook } from "./attempts.ts";
import { DeviceRows } from "./device-rows.ts";
import { type DeviceFacts, FleetDevice, type Surroundings } from "./fleet-device.ts";
import { GroupBook } from "./group-book.ts";
import { countPlaces, type Places } from "./places.ts";
import type { Presence } from "./presence.ts";
import { matches, type Selector, valuesOf } from "./selector.ts";
import { SiteBook } from "./site-book.ts";
import { StandingRows } from "./standing-rows.ts";
import { TargetingRows } from "./targeting-rows.ts";
import { mayBeWithheld } from "./trust.ts";

const NOBODY: ReadonlySet<string> = new Set();

/**
 * Everything about devices that selectors, lists and the rollout engine ask, in memory. `refresh` reads only the
 * rows that changed, through a connection of its own: it sees what is committed, never the half of a transaction,
 * waits for no transaction, and works beside another control plane on the same files. It keeps nothing that the
 * database has not: loading it again gives the same picture.
 */
export class Directory {
  readonly #rows: DeviceRows;
  readonly #attempts: AttemptBook;
  readonly #targeting: TargetingRows;
  readonly #surroundings: MutableSurroundings;
  readonly #inSnapshot: (read: () => boolean) => boolean;
  readonly #devices = new Map<string, { device: FleetDevice }>();
  readonly #standings: StandingRows;
  /** Devices that are withheld now or may be later without a change of their rows: most fleets have few. */
  readonly #suspects = new Map<string, FleetDevice>();
  #groups: GroupBook;
  /** By site and name; undefined when it has to be sorted anew. */
  #order: { device: FleetDevice }[] | undefined;
  #revision = 0;

  /** Reads the whole fleet once (10,000 devices: some 200 ms). */
  static load(
    stores: Pick<Stores, "controlReader">,
    presence: Presence,
    clock: () => number = Date.now,
  ): Directory {
    return new Directory(stores.controlReader, presence, clock);
  }

  private constructor(db: Database, presence: Presence, clock: () => number) {
    this.#inSnapshot = db.transaction((read: () => boolean) => read());
    this.#attempts = new AttemptBook(db);
    this.#rows = new DeviceRows(db);
    this.#standings = new StandingRows(db);
    this.#targeting = new TargetingRows(db);
    this.#groups = new GroupBook([]);
    this.#surroundings = {
      sites: new SiteBook([]),
      now: clock,
      presenceOf: (device) => presence.of(device),
      attempts: (rollout, device) => this.#attempts.of(rollout, device),
      verdictOf: (device) => this.#standings.of(device),
      inGroup: (device, group) => this.#groups.has(group, device),
      inAnyGroup: (device) => this.#groups.hasAny(device),
    };
    this.refresh();
  }

  /**
   * Takes in what was committed since the last call; call it before reading. Inside a transaction it shows what
   * was committed before that one, not what the transaction wrote. True when anything changed.
   * @throws MusterError of the `storage.` family; the next call tries again
   */
  refresh(): boolean {
    try {
      // One snapshot: with another process on the same files a commit may come between two statements.
      return this.#inSnapshot(() => this.#takeIn(this.#revision + 1));
    } catch (error) {
      throw asStorageError(error);
    }
  }

  #takeIn(next: number): boolean {
    // First: what is put below carries its verdict.
    const appraised = this.#standings.refresh();
    const changed = this.#rows.changed();
    for (const facts of changed) this.#put(facts, next);
    const told = this.#attempts.refresh();
    for (const id of [...told, ...appraised]) {
      const device = this.get(id);
      if (device && device.revision !== next) this.#put(device, next);
    }
    const targeting = this.#targeting.changed();
    if (targeting) {
      this.#surroundings.sites = new SiteBook(targeting.sites);
      this.#groups = new GroupBook(targeting.groups);
    }
    const any = changed.length > 0 || told.size > 0 || appraised.size > 0 || targeting !== undefined;
    if (any) this.#revision = next;
    return any;
  }

  /** Grows whenever a refresh found something; a device that changed carries the new value. */
  get revision(): number {
    return this.#revision;
  }

  /** How many there are, revoked ones included. */
  get size(): number {
    return this.#devices.size;
  }

  get(device: string): FleetDevice | undefined {
    return this.#devices.get(device)?.device;
  }

  /** Every device, revoked ones included, in no order that means anything. */
  *all(): Iterable<FleetDevice> {
    for (const { device } of this.#devices.values()) yield device;
  }

  /** Every device by site and name, revoked ones included. */
  *inOrder(): Iterable<FleetDevice> {
    this.#order ??= [...this.#devices.values()].sort((a, b) => bySiteAndName(a.device, b.device));
    for (const { device } of this.#order) yield device;
  }

  /** Why a device gets nothing new, one sentence; undefined for one that passes. */
  withheldBecause(device: string): string | undefined {
    return this.#suspects.get(device)?.withheldBecause ?? undefined;
  }

  /** Devices that get nothing new at this moment. Revoked ones are not among them. */
  withheld(): FleetDevice[] {
    return [...this.#suspects.values()].filter((device) => device.withheldBecause !== null);
  }

  /** True once any device was appraised: from then on one without a verdict is worth telling. */
  get attests(): boolean {
    return this.#standings.any;
  }

  /** Devices that the selector selects, by site and name; revoked ones only where it names `status`. */
  matching(selector: Selector): FleetDevice[] {
    const selected: FleetDevice[] = [];
    for (const device of this.inOrder()) if (matches(selector, device)) selected.push(device);
    return selected;
  }

  get sites(): SiteBook {
    return this.#surroundings.sites;
  }

  get groups(): GroupBook {
    return this.#groups;
  }

  /** Names of the groups that the device is in now. */
  groupsOf(device: FleetDevice): string[] {
    return [...this.#groups.all()].flatMap(({ name }) => (this.#groups.has(name, device) ? [name] : []));
  }

  /** @throws MusterError `selector.invalid` where the selector names a group that does not exist */
  requireGroups(selector: Selector): void {
    for (const name of valuesOf(selector, "group"))
      if (!this.#groups.get(name))
        throw new MusterError("selector.invalid", `Selector: there is no group ${name || "without a name"}.`);
  }

  /**
   * Active devices of every place and how many of them are unavailable now: offline, changing, their runner
   * failed, or in `told` (told something by a rollout and not ended). Counted in one pass; ask once a tick.
   */
  places(told: ReadonlySet<string> = NOBODY): Places {
    return countPlaces(this.all(), this.sites, told);
  }

  #put(facts: DeviceFacts, revision: number): void {
    const device = new FleetDevice(facts, revision, this.#surroundings);
    const place = this.#devices.get(facts.id);
    if (!place) this.#devices.set(facts.id, { device });
    if (place?.device.site !== facts.site || place.device.name !== facts.name) this.#order = undefined;
    if (place) place.device = device;
    if (device.active && mayBeWithheld(device.status, device.verdict)) this.#suspects.set(device.id, device);
    else this.#suspects.delete(device.id);
  }
}

type MutableSurroundings = { -readonly [K in keyof Surroundings]: Surroundings[K] };

const bySiteAndName = (a: FleetDevice, b: FleetDevice): number =>
  a.site === b.site ? compare(a.name, b.name) : compare(a.site, b.site);

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
