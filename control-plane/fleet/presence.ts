import type { Stores } from "../storage/database.ts";
import {
  FLAPPING_TRANSITIONS,
  type ListeningTimes,
  type Liveness,
  type LivenessFacts,
  type LivenessRules,
  livenessOf,
} from "./liveness.ts";
import type { DeviceStatus } from "./types.ts";

/** What every judgement of liveness rests on. */
interface Hearing {
  readonly rules: LivenessRules;
  readonly now: () => number;
  listening: ListeningTimes;
}

/** What was heard of one device, and what follows from it at the moment that one asks. */
export class DevicePresence implements LivenessFacts {
  readonly site: string;
  status: DeviceStatus;
  lastSeenAt: number | null;
  goneAt: number | null = null;
  session: string | null;
  /** A late birth of the session before must not win over the current one. */
  formerSession: string | null = null;
  transitions: number[] = [];
  unsaved = false;
  readonly #hearing: Hearing;

  constructor(hearing: Hearing, site: string, known: KnownBefore) {
    this.#hearing = hearing;
    this.site = site;
    this.status = known.status ?? "active";
    this.lastSeenAt = known.lastSeenAt ?? null;
    this.session = known.session ?? null;
  }

  get liveness(): Liveness {
    const { now, listening, rules } = this.#hearing;
    return livenessOf(this, now(), listening, rules);
  }
}

interface KnownBefore {
  status?: DeviceStatus;
  lastSeenAt?: number | null;
  session?: string | null;
}

/** Devices written in one transaction; more would hold up the event loop for too long. */
const SAVE_CHUNK = 1_000;

/**
 * Who exists, who may speak and who was heard when: in memory, because each message asks, and saved now and
 * then, because a restart must not forget it.
 */
export class Presence {
  readonly #stores: Stores;
  readonly #hearing: Hearing;
  readonly #entries = new Map<string, DevicePresence>();

  private constructor(stores: Stores, hearing: Hearing) {
    this.#stores = stores;
    this.#hearing = hearing;
  }

  static async load(stores: Stores, rules: LivenessRules, now: () => number): Promise<Presence> {
    const mark = await stores.telemetry
      .selectFrom("clock_marks")
      .select("at")
      .where("name", "=", "listening")
      .executeTakeFirst();
    const startedAt = now();
    const listening = { startedAt, aliveUntil: Math.min(mark?.at ?? startedAt, startedAt) };
    const presence = new Presence(stores, { rules, now, listening });
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

  /** Since when this control plane listens, and until when the one before it did. */
  get listening(): ListeningTimes {
    return this.#hearing.listening;
  }

  /** Makes a device known; one that is known already keeps what was heard of it. */
  add(device: string, site: string, known: KnownBefore = {}): void {
    if (!this.#entries.has(device)) this.#entries.set(device, new DevicePresence(this.#hearing, site, known));
  }

  /** Undefined for a device that this fleet does not know. */
  statusOf(device: string): DeviceStatus | undefined {
    return this.#entries.get(device)?.status;
  }

  setStatus(device: string, status: DeviceStatus): void {
    const entry = this.#entries.get(device);
    if (entry) entry.status = status;
  }

  seen(device: string): void {
    const entry = this.#entries.get(device);
    if (!entry) return;
    entry.lastSeenAt = this.#hearing.now();
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
    entry.goneAt = this.#hearing.now();
    this.#transition(entry);
    return true;
  }

  /** Undefined for a device that this fleet does not know. */
  of(device: string): Pick<DevicePresence, "liveness" | "lastSeenAt"> | undefined {
    return this.#entries.get(device);
  }

  /** Writes what changed since the last save, and that this control plane still listens. */
  async save(): Promise<void> {
    const changed = [...this.#entries].filter(([, entry]) => entry.unsaved);
    const now = this.#hearing.now();
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

  #transition(entry: DevicePresence): void {
    entry.transitions = [...entry.transitions.slice(1 - FLAPPING_TRANSITIONS), this.#hearing.now()];
  }
}
