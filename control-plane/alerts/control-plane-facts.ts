import { X509Certificate } from "node:crypto";
import { statfs } from "node:fs/promises";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { Database } from "better-sqlite3";
import type { RolloutSubject } from "./signal-source.ts";
import type { Signals } from "./signals.ts";

const MIB = 1024 ** 2;
const DAY_MS = 86_400_000;
/** A rollout that turned back is told for so long after its end, milliseconds. */
const TURNED_BACK_MS = 3_600_000;

/** Free space of the data directory; nothing where the file system does not say. */
export async function diskSignals(dataDir: string): Promise<Signals> {
  const { bavail, blocks, bsize } = await statfs(dataDir);
  return {
    diskFreeMiB: (bavail * bsize) / MIB,
    ...(blocks > 0 ? { diskFreePercent: (100 * bavail) / blocks } : {}),
  };
}

/** Days until the release metadata in force ends; nothing before there is a trust root. */
export function trustSignals(db: Database, now: number): Signals {
  const rows = db
    .prepare<[], { role: string; ends: number }>(
      `SELECT role, expires_at AS ends FROM trust_metadata AS newest
       WHERE version = (SELECT max(version) FROM trust_metadata WHERE role = newest.role)`,
    )
    .all();
  const signals: Signals = {};
  for (const { role, ends } of rows) {
    const name = role === "root" || role === "targets" ? "trustDaysLeft" : "onlineTrustDaysLeft";
    signals[name] = Math.min(signals[name] ?? Number.POSITIVE_INFINITY, (ends - now) / DAY_MS);
  }
  return signals;
}

/** @param certificate PEM */
export const certificateSignals = (certificate: string, now: number): Signals => ({
  serverCertificateDaysLeft: (Date.parse(new X509Certificate(certificate).validTo) - now) / DAY_MS,
});

/** Rollouts that are under way, or turned back within the last hour. */
export function rolloutSubjects(db: Database, now: number): RolloutSubject[] {
  const rows = db
    .prepare<[number], { id: string; state: string; release: string; reason: string | null }>(
      `SELECT id, state, release, reason FROM rollouts
       WHERE state IN ('running', 'paused', 'aborting', 'reverting') OR (state = 'reverted' AND ended_at > ?)`,
    )
    .all(now - TURNED_BACK_MS);
  return rows.map(({ id, state, release, reason }) => {
    const { name, version } = JSON.parse(release) as ReleaseRef;
    return {
      rollout: id,
      name: `${id} of ${name} ${version}`,
      about: reason ?? "",
      signals: {
        rolloutPaused: state === "paused" ? 1 : 0,
        rolloutTurnedBack: state === "reverting" || state === "reverted" ? 1 : 0,
      },
    };
  });
}
