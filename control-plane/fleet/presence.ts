import type { Stores } from "../storage/database.ts";
import {
  FLAPPING_TRANSITIONS,
  type ListeningTimes,
  type Liveness,
  type LivenessRules,
  livenessOf,
} from "./liveness.ts";
import type { DeviceStatus } from "./types.ts";

interface Entry {
  status: DeviceStatus;
  site: string;
  lastSeenAt: number | null;
  goneAt: number | null;
  session: string | null;
  /** A late birth of the session before must not win over the current one. */
  formerSession: string | null;
  transitions: number[];
  unsaved: boolean;
}

/** Devices written in one transaction; more would hold up the event loop for too long. */
const SAVE_CHUNK = 1_000;

/**
 * Who exists, who may speak and who was heard when: in memory, because each message asks, and saved now and
 * then, because a restart must not forget it.
 */
export class Presence {
  readonly #stores: Stores;
  readonly #rules: LivenessRules;
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();
  #listening: ListeningTimes;

  private constructor(stores: Stores, rules: LivenessRules, now: () => number) {
    this.#stores = stores;
    this.#rules = rules;
    this.#now = now;
    this.#listening = { startedAt: now(), aliveUntil: now() };
  }

  static async load(stores: Stores, rules: LivenessRules, now: () => number): Promise<Presence> {
    const presence = new Presence(stores, rules, now);
    const mark = await stores.telemetry
      .selectFrom("clock_marks")
      .select("at")
      .where("name", "=", "listening")
      .executeTakeFirst();
    const startedAt = now();
    presence.#listening = { startedAt, aliveUntil: Math.min(mark?.at ?? startedAt, startedAt) };
    const rows = await stores.control
      .selectFrom("devices")
      .select(["id", "site", "status", "last_seen_at", "reported_session"])
      .execute();
    for (const row of rows)
      presence.add(row.id, row.site, {
        status: row.status,
        lastSeenAt: row.last_seen_at,
        session: row.reported_session,
      });
    return presence;
  }

  /** Makes a device known; one that is known already keeps what was heard of it. */
  add(
    device: string,
    site: string,
    known: { status?: DeviceStatus; lastSeenAt?: number | null; session?: string | null } = {},
  ): void {
    if (this.#entries.has(device)) return;
    this.#entries.set(device, {
      status: known.status ?? "active",
      site,
      lastSeenAt: known.lastSeenAt ?? null,
      goneAt: null,
      session: known.session ?? null,
      formerSession: null,
      transitions: [],
      unsaved: false,
    });
  }

  /** Undefined for a device that this fleet does not know. */
  statusOf(device: string): DeviceStatus | undefined {
    return this.#entries.get(device)?.status;
  }

  setRevoked(device: string): void {
    const entry = this.#entries.get(device);
    if (entry) entry.status = "revoked";
  }

  seen(device: string): void {
    const entry = this.#entries.get(device);
    if (!entry) return;
    entry.lastSeenAt = this.#now();
    entry.goneAt = null;
    entry.unsaved = true;
  }

  /** A birth arrived: its session becomes the current one, unless it is the one before, come late. */
  beginSession(device: string, session: string): "begun" | "current" | "former" {
    const entry = this.#entries.get(device);
    if (!entry || session === entry.formerSession) return "former";
    this.seen(device);
    if (session === entry.session) return "current";
    entry.formerSession = entry.session;
    entry.session = session;
    this.#transition(entry);
    return "begun";
  }

  sessionOf(device: string): string | null {
    return this.#entries.get(device)?.session ?? null;
  }

  isCurrent(device: string, session: string): boolean {
    return this.#entries.get(device)?.session === session;
  }

  /** A will arrived; false when its session is not the current one and the will is ignored. */
  endSession(device: string, session: string): boolean {
    const entry = this.#entries.get(device);
    if (!entry || entry.session !== session) return false;
    entry.goneAt = this.#now();
    this.#transition(entry);
    return true;
  }

  livenessOf(device: string): Liveness {
    const entry = this.#entries.get(device);
    return entry ? livenessOf(entry, this.#now(), this.#listening, this.#rules) : "offline";
  }

  lastSeenAt(device: string): number | null {
    return this.#entries.get(device)?.lastSeenAt ?? null;
  }

  *all(): Iterable<{ device: string; site: string; status: DeviceStatus; liveness: Liveness }> {
    for (const [device, { site, status }] of this.#entries)
      yield { device, site, status, liveness: this.livenessOf(device) };
  }

  /** Writes what changed since the last save, and that this control plane still listens. */
  async save(): Promise<void> {
    const changed = [...this.#entries].filter(([, entry]) => entry.unsaved);
    const now = this.#now();
    for (let first = 0; first < changed.length; first += SAVE_CHUNK) {
      const chunk = changed.slice(first, first + SAVE_CHUNK);
      await this.#stores.writeControl((db) => {
        const update = db.prepare("UPDATE devices SET last_seen_at = ? WHERE id = ?");
        for (const [device, entry] of chunk) update.run(entry.lastSeenAt, device);
      });
      for (const [, entry] of chunk) entry.unsaved = false;
    }
    await this.#stores.writeTelemetry((db) => {
      db.prepare(
        "INSERT INTO clock_marks (name, at) VALUES ('listening', ?) ON CONFLICT (name) DO UPDATE SET at = excluded.at",
      ).run(now);
    });
  }

  #transition(entry: Entry): void {
    entry.transitions = [...entry.transitions.slice(1 - FLAPPING_TRANSITIONS), this.#now()];
  }
}
