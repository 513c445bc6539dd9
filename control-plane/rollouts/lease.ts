import type { Database } from "better-sqlite3";
import type { LeasesTable } from "../storage/tables/rollouts.ts";

const LEASE = "rollouts";

/**
 * Whether this process may decide, and for how long before this moment nobody could have, milliseconds; less than 0
 * where the clock was put back by so much.
 */
export type Tenure = { held: false } | { held: true; lapsedMs: number };

/** Clocks are corrected by less than this all the time. */
const STEP_MS = 2_000;

/**
 * The right to decide about rollouts, kept in the database that the decisions go to: whoever checks it inside the
 * transaction of a decision cannot act after another one took it over.
 */
export class Lease {
  readonly #holder: string;
  readonly #ttlMs: number;

  /** `holder` names this process and no other one; `ttlMs` is how long a silent holder keeps everybody waiting. */
  constructor(holder: string, ttlMs: number) {
    this.#holder = holder;
    this.#ttlMs = ttlMs;
  }

  /** Takes or renews the lease; call it inside the transaction that it is to guard. */
  hold(db: Database, now: number): Tenure {
    const row = db.prepare<[string], LeasesTable>("SELECT * FROM leases WHERE name = ?").get(LEASE);
    if (!row) {
      db.prepare(
        "INSERT INTO leases (name, holder, epoch, renewed_at, expires_at) VALUES (?, ?, 1, ?, ?)",
      ).run(LEASE, this.#holder, now, now + this.#ttlMs);
      return { held: true, lapsedMs: 0 };
    }
    const own = row.holder === this.#holder;
    if (!own && row.expires_at > now) return { held: false };
    const putBackMs = row.renewed_at - now > STEP_MS ? row.renewed_at - now : 0;
    const lapsedMs = putBackMs > 0 ? -putBackMs : Math.max(0, now - row.expires_at);
    // A renewal is a write to the disk: it is due when a third of the time is over.
    if (!own || putBackMs > 0 || row.expires_at - now <= (this.#ttlMs * 2) / 3)
      db.prepare(
        "UPDATE leases SET holder = ?, epoch = epoch + ?, renewed_at = ?, expires_at = ? WHERE name = ?",
      ).run(this.#holder, own ? 0 : 1, now, now + this.#ttlMs, LEASE);
    return { held: true, lapsedMs };
  }

  /** Lets the next one decide at once; nothing where another one has the lease. Call it inside a transaction. */
  release(db: Database, now: number): void {
    db.prepare("UPDATE leases SET expires_at = min(expires_at, ?) WHERE name = ? AND holder = ?").run(
      now,
      LEASE,
      this.#holder,
    );
  }

  /** Ends the lease of a holder that is known to be gone. Call it inside a transaction. */
  static expel(db: Database, now: number): void {
    db.prepare("UPDATE leases SET expires_at = min(expires_at, ?) WHERE name = ?").run(now, LEASE);
  }
}
