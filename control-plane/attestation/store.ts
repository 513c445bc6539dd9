import type { Evidence } from "@muster/shared/protocol/evidence";
import type { Directive, DirectivePayload } from "@muster/shared/trust/directive";
import type { Database, Statement } from "better-sqlite3";
import type { AttestationHistoryTable } from "../storage/tables/attestation.ts";
import { type DeviceHistory, newHistory } from "./appraisal/history.ts";
import type { DeviceBinding } from "./appraisal/input.ts";
import type { Assurance, Claim, Finding, Verdict, VerdictTier } from "./verdict.ts";

/** Verdicts kept of one device. */
const MOST_HISTORY = 200;
/** Boot logs kept; the one used longest ago goes first. */
const MOST_LOGS = 2_000;

/** What is on record of a device when its evidence comes. */
export interface KnownDevice {
  readonly binding: DeviceBinding;
  readonly site: string;
  readonly hardwareClass: string;
  readonly directive: DirectivePayload | null;
  readonly history: DeviceHistory;
  readonly evidence: Evidence | null;
}

/** A standing as it is stored. Times in milliseconds since the epoch. */
export interface StoredStanding extends Verdict {
  readonly device: string;
  readonly freshAt: number | null;
  readonly withheld: boolean;
  readonly withheldAfter: number | null;
}

/** One line of the history of a device. */
export interface HistoryEntry {
  readonly at: number;
  readonly source: AttestationHistoryTable["source"];
  /** Null for evidence that was refused. */
  readonly tier: VerdictTier | null;
  readonly sentence: string;
  readonly findings: readonly Finding[];
}

/** What an appraisal changes. */
export interface Change {
  readonly device: string;
  readonly history?: DeviceHistory;
  /** Without its logs. */
  readonly evidence?: Evidence;
  readonly bootLog?: { readonly digest: string; readonly content: Uint8Array };
  readonly standing?: Omit<StoredStanding, "device">;
  readonly entry?: HistoryEntry;
}

interface DeviceRow {
  id: string;
  site: string;
  hardware_class: string;
  signing_key: string;
  assurance: Assurance;
  ak_name: string | null;
  ak_public: string | null;
  directive: string | null;
  history: string | null;
  evidence: string | null;
}

interface StandingRow {
  device: string;
  tier: VerdictTier;
  claims: string;
  findings: string;
  sentence: string;
  at: number;
  fresh_at: number | null;
  not_after: number;
  withheld: number;
  withheld_after: number | null;
}

/** The tables of attestation in control.db. */
export class AttestationStore {
  readonly #device: Statement<[string], DeviceRow>;
  readonly #standing: Statement<[string], StandingRow>;
  readonly #standings: Statement<[], StandingRow>;
  readonly #entries: Statement<[string, number, number], Record<string, unknown>>;
  readonly #log: Statement<[string], Buffer>;
  readonly #hasLog: Statement<[string], number>;
  readonly #withEvidence: Statement<[string, number], string>;
  #writer: { db: Database; write: (change: Change) => void } | undefined;

  /** @param reader the connection that only reads */
  constructor(reader: Database) {
    this.#device = reader.prepare(
      `SELECT d.id, d.site, d.hardware_class, d.signing_key, d.assurance, d.ak_name, d.ak_public, d.directive,
         s.history, s.evidence
       FROM devices d LEFT JOIN attestation_states s ON s.device = d.id WHERE d.id = ?`,
    );
    this.#standing = reader.prepare("SELECT * FROM attestation_standings WHERE device = ?");
    this.#standings = reader.prepare("SELECT * FROM attestation_standings");
    this.#entries = reader.prepare(
      `SELECT at, source, tier, sentence, findings FROM attestation_history
       WHERE device = ? AND at < ? ORDER BY id DESC LIMIT ?`,
    );
    this.#log = reader
      .prepare<[string], Buffer>("SELECT content FROM attestation_logs WHERE digest = ?")
      .pluck();
    this.#hasLog = reader
      .prepare<[string], number>("SELECT 1 FROM attestation_logs WHERE digest = ?")
      .pluck();
    this.#withEvidence = reader
      .prepare<[string, number], string>(
        "SELECT id FROM devices WHERE id > ? AND status <> 'revoked' ORDER BY id LIMIT ?",
      )
      .pluck();
  }

  /** Undefined for a device that is not of this fleet. */
  device(id: string): KnownDevice | undefined {
    const row = this.#device.get(id);
    if (!row) return undefined;
    return {
      binding: {
        id,
        signingKey: row.signing_key,
        assurance: row.assurance,
        akName: row.ak_name,
        akPublic: row.ak_public,
      },
      site: row.site,
      hardwareClass: row.hardware_class,
      directive: row.directive === null ? null : (JSON.parse(row.directive) as Directive).payload,
      history:
        row.history === null ? newHistory(row.signing_key) : (JSON.parse(row.history) as DeviceHistory),
      evidence: row.evidence === null ? null : (JSON.parse(row.evidence) as Evidence),
    };
  }

  standing(device: string): StoredStanding | undefined {
    const row = this.#standing.get(device);
    return row && standingOf(row);
  }

  standings(): StoredStanding[] {
    return this.#standings.all().map(standingOf);
  }

  /** Newest first. @param before only what happened before this moment */
  entries(device: string, limit: number, before: number): HistoryEntry[] {
    return this.#entries.all(device, before, limit).map((row) => ({
      at: row.at as number,
      source: row.source as HistoryEntry["source"],
      tier: row.tier as VerdictTier | null,
      sentence: row.sentence as string,
      findings: JSON.parse(row.findings as string) as Finding[],
    }));
  }

  /** A boot log by its digest, packed. */
  bootLog(digest: string): Buffer | undefined {
    return this.#log.get(digest);
  }

  hasBootLog(digest: string): boolean {
    return this.#hasLog.get(digest) !== undefined;
  }

  /** Devices by id, from behind `after` on. */
  devicesAfter(after: string, limit: number): string[] {
    return this.#withEvidence.all(after, limit);
  }

  /** Call it inside a transaction of control.db. */
  write(db: Database, change: Change): void {
    if (this.#writer?.db !== db) this.#writer = { db, write: prepareWriter(db) };
    this.#writer.write(change);
  }
}

function prepareWriter(db: Database): (change: Change) => void {
  const state = db.prepare(
    `INSERT INTO attestation_states (device, history, evidence, boot_log) VALUES (@device, @history, @evidence, @bootLog)
     ON CONFLICT (device) DO UPDATE SET history = excluded.history,
       evidence = coalesce(excluded.evidence, attestation_states.evidence),
       boot_log = coalesce(excluded.boot_log, attestation_states.boot_log)`,
  );
  const standing = db.prepare(
    `INSERT INTO attestation_standings
       (device, tier, claims, findings, sentence, at, fresh_at, not_after, withheld, withheld_after)
     VALUES (@device, @tier, @claims, @findings, @sentence, @at, @freshAt, @notAfter, @withheld, @withheldAfter)
     ON CONFLICT (device) DO UPDATE SET tier = excluded.tier, claims = excluded.claims,
       findings = excluded.findings, sentence = excluded.sentence, at = excluded.at, fresh_at = excluded.fresh_at,
       not_after = excluded.not_after, withheld = excluded.withheld, withheld_after = excluded.withheld_after`,
  );
  const entry = db.prepare(
    `INSERT INTO attestation_history (device, at, source, tier, sentence, findings)
     VALUES (@device, @at, @source, @tier, @sentence, @findings)`,
  );
  const trim = db.prepare(
    `DELETE FROM attestation_history WHERE device = ? AND id <= (
       SELECT id FROM attestation_history WHERE device = ? ORDER BY id DESC LIMIT 1 OFFSET ${MOST_HISTORY})`,
  );
  const log = db.prepare(
    `INSERT INTO attestation_logs (digest, content, used_at) VALUES (?, ?, ?)
     ON CONFLICT (digest) DO UPDATE SET used_at = excluded.used_at`,
  );
  const trimLogs = db.prepare(
    `DELETE FROM attestation_logs WHERE digest IN (
       SELECT digest FROM attestation_logs ORDER BY used_at DESC LIMIT -1 OFFSET ${MOST_LOGS})`,
  );
  return (change) => {
    const { device } = change;
    if (change.bootLog) {
      log.run(change.bootLog.digest, change.bootLog.content, change.standing?.at ?? 0);
      trimLogs.run();
    }
    if (change.history)
      state.run({
        device,
        history: JSON.stringify(change.history),
        evidence: change.evidence ? JSON.stringify(change.evidence) : null,
        bootLog: change.bootLog?.digest ?? null,
      });
    if (change.standing) {
      const { claims, findings, withheld, ...rest } = change.standing;
      standing.run({
        ...rest,
        device,
        claims: JSON.stringify(claims),
        findings: JSON.stringify(findings),
        withheld: withheld ? 1 : 0,
      });
    }
    if (change.entry) {
      entry.run({ ...change.entry, device, findings: JSON.stringify(change.entry.findings) });
      trim.run(device, device);
    }
  };
}

const standingOf = (row: StandingRow): StoredStanding => ({
  device: row.device,
  tier: row.tier,
  claims: JSON.parse(row.claims) as Record<Claim, VerdictTier>,
  findings: JSON.parse(row.findings) as Finding[],
  sentence: row.sentence,
  at: row.at,
  freshAt: row.fresh_at,
  notAfter: row.not_after,
  withheld: row.withheld === 1,
  withheldAfter: row.withheld_after,
});
