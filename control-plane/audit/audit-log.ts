import { createHmac, randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { MusterError } from "@muster/shared/errors";
import type { SigningKey } from "@muster/shared/trust/ed25519";
import type { Database } from "better-sqlite3";
import type { Stores } from "../storage/database.ts";
import type { AuditLogTable } from "../storage/tables/audit.ts";
import { createKeyFile, readKeyFile } from "../trust/key-file.ts";
import { actAs } from "./acting.ts";
import { isSigned, signCheckpoint } from "./chain.ts";
import { CheckpointFile } from "./checkpoint-file.ts";
import { type AuditEntry, type AuditEvent, type AuditSink, type Checkpoint, CONTROL_PLANE } from "./entry.ts";
import { entryOf } from "./rows.ts";
import { APPEND, recordChanges } from "./triggers.ts";

export interface AuditLogParts {
  stores: Pick<Stores, "controlRaw" | "controlReader" | "writeControl">;
  dataDir: string;
  /** Milliseconds since the epoch. */
  clock: () => number;
  /** Told of notes and checkpoints that could not be written, and of a log that is not as it was left. */
  onError: (error: unknown) => void;
}

export interface AuditQuery {
  /** Entries behind this one, oldest first; without it the newest come first. */
  after?: number | undefined;
  /** Entries before this one. */
  before?: number | undefined;
  /** Id or name. */
  actor?: string | undefined;
  /** An action, or a noun with all its actions. */
  action?: string | undefined;
  subject?: string | undefined;
  /** Milliseconds since the epoch. */
  from?: number | undefined;
  to?: number | undefined;
  limit: number;
}

/** Entries that retention takes away in one transaction. */
const CUT_AT_ONCE = 5_000;

/** The one writer of the audit log, and its readers. While it is open, changes of control.db enter it by themselves. */
export class AuditLog implements AuditSink {
  readonly #parts: AuditLogParts;
  readonly #key: SigningKey;
  readonly #checkpoints: CheckpointFile;
  readonly #waiting: AuditEvent[] = [];
  #writing: Promise<void> = Promise.resolve();

  private constructor(parts: AuditLogParts, key: SigningKey, checkpoints: CheckpointFile) {
    this.#parts = parts;
    this.#key = key;
    this.#checkpoints = checkpoints;
  }

  /**
   * Opens the log of a data directory with its key (`keys/audit.key`, made on the first start) and notes where it is
   * not as it was left: shorter than its newest checkpoint, or signed by another key.
   * @throws MusterError `trust.key-missing` for a key file that is no key
   */
  static async open(parts: AuditLogParts): Promise<AuditLog> {
    const dir = join(parts.dataDir, "keys");
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const file = join(dir, "audit.key");
    const key = (await readKeyFile(file)) ?? (await createKeyFile(file, randomBytes(32)));
    const checkpoints = await CheckpointFile.open(join(parts.dataDir, "audit-checkpoints.jsonl"));
    recordChanges(parts.stores.controlRaw, key, parts.clock);
    const log = new AuditLog(parts, key, checkpoints);
    await log.#noteBreaks();
    return log;
  }

  /** What checks the log, hex. */
  get publicKey(): string {
    return this.#key.publicKey;
  }

  get keyId(): string {
    return this.#key.keyId;
  }

  /** Digest of a body by which the holder of the audit key knows it again, and nobody else can try out what it was. */
  digestOfBody(text: string): string {
    const key = createHmac("sha256", Buffer.from(this.#key.seed, "hex"))
      .update("muster/audit-body/v1")
      .digest();
    return `hmac-sha256:${createHmac("sha256", key).update(text).digest("hex")}`;
  }

  /** Puts on record, in a transaction of its own and soon, what is no change of control.db. */
  note(event: AuditEvent): void {
    this.#waiting.push(event);
    if (this.#waiting.length === 1)
      this.#writing = this.#writing.then(() => this.#flush()).catch((error) => this.#parts.onError(error));
  }

  /** The same, and done when it returns. @throws MusterError `storage.full` */
  async write(event: AuditEvent): Promise<void> {
    await this.#parts.stores.writeControl(() => this.within(event));
  }

  /**
   * Puts on record as part of the transaction of control.db that is under way: both or neither. For what the caller
   * does there and no trigger sees.
   */
  within({ actor, action, subject, detail }: AuditEvent): void {
    const statement = this.#parts.stores.controlRaw.prepare(APPEND);
    actAs(actor, () => statement.run(action, subject, JSON.stringify(detail)));
  }

  /** The newest entry that is committed. */
  head(): AuditEntry | null {
    return this.list({ limit: 1 })[0] ?? null;
  }

  /** The oldest entry that retention left. */
  first(): AuditEntry | null {
    return this.list({ after: 0, limit: 1 })[0] ?? null;
  }

  /** @throws MusterError `request.not-found` */
  get(seq: number): AuditEntry {
    const found = this.list({ after: seq - 1, before: seq + 1, limit: 1 })[0];
    if (!found) throw new MusterError("request.not-found", `The audit log has no entry ${seq}.`);
    return found;
  }

  list({ after, before, actor, action, subject, from, to, limit }: AuditQuery): AuditEntry[] {
    const rows = this.#parts.stores.controlReader
      .prepare<unknown[], AuditLogTable>(
        `SELECT * FROM audit_log WHERE seq > @after AND seq < @before
           ${actor === undefined ? "" : "AND (actor_id = @actor OR actor_name = @actor)"}
           ${action === undefined ? "" : "AND (action = @action OR (action >= @action || '.' AND action < @action || '/'))"}
           ${subject === undefined ? "" : "AND (subject = @subject OR (subject >= @subject || '/' AND subject < @subject || '0'))"}
           ${from === undefined ? "" : "AND at >= @from"} ${to === undefined ? "" : "AND at < @to"}
         ORDER BY seq ${after === undefined ? "DESC" : ""} LIMIT @limit`,
      )
      .all({
        after: after ?? 0,
        before: before ?? Number.MAX_SAFE_INTEGER,
        limit,
        ...(actor === undefined ? {} : { actor }),
        ...(action === undefined ? {} : { action }),
        ...(subject === undefined ? {} : { subject }),
        ...(from === undefined ? {} : { from }),
        ...(to === undefined ? {} : { to }),
      });
    return rows.map(entryOf);
  }

  /** Oldest first. */
  checkpoints(): readonly Checkpoint[] {
    return this.#checkpoints.all();
  }

  /** Keeps in the second place how far the log reaches; undefined while it is empty. @throws MusterError `storage.full` */
  async checkpoint(): Promise<Checkpoint | undefined> {
    const head = this.head();
    const newest = this.#checkpoints.newest();
    if (!head || newest?.digest === head.digest) return newest;
    const made = signCheckpoint(this.#key, head, this.#parts.clock());
    await this.#checkpoints.add(made);
    return made;
  }

  /** Takes away entries of before `at` (milliseconds since the epoch); signed entries say how far. */
  async cut(at: number): Promise<void> {
    const { stores } = this.#parts;
    // By time as far as it is in order. The newest stays, and what comes meanwhile.
    const end = stores.controlReader
      .prepare<[number], number>(
        `SELECT coalesce((SELECT min(seq) FROM audit_log WHERE at >= ?), max(seq)) - 1 FROM audit_log`,
      )
      .pluck()
      .get(at);
    for (let first = this.first()?.seq; end && first && first <= end; first = this.first()?.seq) {
      const through = Math.min(end, first + CUT_AT_ONCE - 1);
      await stores.writeControl((db) => {
        const detail = { through, digest: digestAt(db, through), before: at };
        this.within({ actor: CONTROL_PLANE, action: "audit.cut", subject: "audit/log", detail });
        db.prepare("DELETE FROM audit_log WHERE seq <= ?").run(through);
      });
      await this.#checkpoints.forgetUntil(through);
      await this.checkpoint();
    }
  }

  /** Writes what waits and a last checkpoint. */
  async close(): Promise<void> {
    await this.#writing;
    await this.checkpoint();
  }

  async #flush(): Promise<void> {
    const events = this.#waiting.splice(0);
    await this.#parts.stores.writeControl(() => {
      for (const event of events) this.within(event);
    });
  }

  async #noteBreaks(): Promise<void> {
    const head = this.head();
    const breaks: [action: string, detail: Record<string, unknown>, sentence: string][] = [];
    const newest = this.#checkpoints.newest();
    if (newest && digestAt(this.#parts.stores.controlReader, newest.seq) !== newest.digest)
      breaks.push([
        "audit.behind-checkpoint",
        { checkpoint: newest.seq, digest: newest.digest, at: newest.at },
        `The audit log is not the one that reached entry ${newest.seq}: it was cut, or a backup was put back.`,
      ]);
    if (head && !isSigned(head, [this.publicKey]))
      breaks.push([
        "audit.other-key",
        { key: this.publicKey, from: head.seq + 1 },
        `Entry ${head.seq} of the audit log is signed by another key than keys/audit.key.`,
      ]);
    for (const [action, detail, sentence] of breaks) {
      this.#parts.onError(new MusterError("audit.tampered", sentence));
      await this.write({ actor: CONTROL_PLANE, action, subject: "audit/log", detail });
    }
  }
}

const digestAt = (db: Database, seq: number): string | undefined =>
  db.prepare<[number], string>("SELECT digest FROM audit_log WHERE seq = ?").pluck().get(seq);
