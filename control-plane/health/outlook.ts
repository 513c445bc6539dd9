import type { Statement } from "better-sqlite3";
import type { Stores } from "../storage/database.ts";

/** How long an evicted record is told, milliseconds. */
const LOST_MS = 3_600_000;
/** How often certificates are looked at, milliseconds: they change once in weeks. */
const CERTIFICATES_MS = 300_000;

/** What is known of a device only by the databases. */
export interface DeviceOutlook {
  /** Records that it told as evicted within the last hour. */
  lostRecords: number;
  /** Milliseconds since the epoch; null where it was not looked at yet. */
  certificateExpiresAt: number | null;
}

/** Looks at all devices at once. */
export class Outlook {
  readonly #gaps: Statement<[number], { device: string; records: number }>;
  readonly #certificates: Statement<[], { id: string; certificate_expires_at: number }>;
  #lost = new Map<string, number>();
  #expiries = new Map<string, number>();
  #certificatesAt = Number.NEGATIVE_INFINITY;

  constructor({ telemetryRaw, controlReader }: Pick<Stores, "telemetryRaw" | "controlReader">) {
    this.#gaps = telemetryRaw.prepare(
      "SELECT device, sum(records) AS records FROM gaps WHERE received_at > ? GROUP BY device",
    );
    this.#certificates = controlReader.prepare("SELECT id, certificate_expires_at FROM devices");
  }

  refresh(now: number): void {
    this.#lost = new Map(this.#gaps.all(now - LOST_MS).map(({ device, records }) => [device, records]));
    if (Math.abs(now - this.#certificatesAt) < CERTIFICATES_MS) return;
    this.#certificatesAt = now;
    this.#expiries = new Map(
      this.#certificates.all().map((row) => [row.id, row.certificate_expires_at] as const),
    );
  }

  of(device: string): DeviceOutlook {
    return {
      lostRecords: this.#lost.get(device) ?? 0,
      certificateExpiresAt: this.#expiries.get(device) ?? null,
    };
  }
}
