import { MusterError } from "@muster/shared/errors";
import { isShadowReportBy, type ShadowReport } from "@muster/shared/protocol/shadow-report";
import type { Database, Statement } from "better-sqlite3";

/** Reports kept of one device, the newest: a device has no more shadows than directives, but for ever. */
const KEPT = 8;

/** Takes reports of shadows into control.db; each statement may be repeated without another result. */
export class ShadowWriter {
  readonly #key: Statement<[string], { signing_key: string; generation: number }>;
  readonly #store: Statement;
  readonly #trim: Statement;

  constructor(db: Database) {
    this.#key = db.prepare("SELECT signing_key, generation FROM devices WHERE id = ?");
    this.#store = db.prepare(
      `INSERT INTO shadow_reports (device, generation, rollout, report, received_at) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (device, generation) DO UPDATE SET
         rollout = excluded.rollout, report = excluded.report, received_at = excluded.received_at`,
    );
    this.#trim = db.prepare(
      `DELETE FROM shadow_reports WHERE device = ? AND generation NOT IN (
         SELECT generation FROM shadow_reports WHERE device = ? ORDER BY generation DESC LIMIT ${KEPT})`,
    );
  }

  /**
   * Stores a report within the caller's transaction.
   * @throws MusterError `shadow.report-invalid` for one that the device did not sign, or that is not about it
   */
  write(device: string, report: ShadowReport, receivedAt: number): void {
    const known = this.#key.get(device);
    if (!known) return;
    const { payload } = report;
    if (!isShadowReportBy(known.signing_key, report))
      throw new MusterError("shadow.report-invalid", "The report is not signed by the key of this device.");
    if (payload.device !== device)
      throw new MusterError("shadow.report-invalid", `The report is about ${payload.device}.`);
    if (payload.generation > known.generation)
      throw new MusterError(
        "shadow.report-invalid",
        `The report is about directive ${payload.generation}; the newest is ${known.generation}.`,
      );
    this.#store.run(device, payload.generation, payload.rollout, JSON.stringify(report), receivedAt);
    this.#trim.run(device, device);
  }
}
