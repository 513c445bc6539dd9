import { addSignature, metadataText, newSnapshot, newTimestamp, tufTime } from "@muster/shared/trust/tuf";
import type { TrustMetadataTable } from "../storage/tables/releases.ts";
import type { OnlineKeys } from "./online-keys.ts";

const DAY = 86_400_000;

/** Validity of what the control plane signs by itself, milliseconds; it is renewed at half of it. */
export const SNAPSHOT_VALIDITY = 30 * DAY;
export const TIMESTAMP_VALIDITY = 7 * DAY;

/** What is in force of a role. */
export interface InForce {
  version: number;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

export interface RolesInForce {
  targets: InForce;
  snapshot: InForce | undefined;
  timestamp: InForce | undefined;
}

const pastHalf = (role: InForce, validity: number, now: number): boolean =>
  now >= role.expiresAt - validity / 2;

/**
 * The online metadata that must be signed now: a snapshot where the targets changed or half of its validity is
 * over, and a timestamp where there is a new snapshot or half of its own validity is over.
 */
export function signDue(
  inForce: RolesInForce,
  keys: OnlineKeys,
  targetsChanged: boolean,
  now: number,
): TrustMetadataTable[] {
  const { snapshot, timestamp, targets } = inForce;
  const signed: TrustMetadataTable[] = [];
  let snapshotVersion = snapshot?.version ?? 0;
  if (targetsChanged || !snapshot || pastHalf(snapshot, SNAPSHOT_VALIDITY, now)) {
    snapshotVersion += 1;
    const expires = tufTime(now + SNAPSHOT_VALIDITY);
    const metadata = newSnapshot(snapshotVersion, expires, targets.version);
    addSignature(metadata, keys.snapshot);
    signed.push(row("snapshot", snapshotVersion, metadataText(metadata), expires, now));
  }
  if (signed.length > 0 || !timestamp || pastHalf(timestamp, TIMESTAMP_VALIDITY, now)) {
    const version = (timestamp?.version ?? 0) + 1;
    const expires = tufTime(now + TIMESTAMP_VALIDITY);
    const metadata = newTimestamp(version, expires, snapshotVersion);
    addSignature(metadata, keys.timestamp);
    signed.push(row("timestamp", version, metadataText(metadata), expires, now));
  }
  return signed;
}

const row = (
  role: TrustMetadataTable["role"],
  version: number,
  body: string,
  expires: string,
  now: number,
): TrustMetadataTable => ({ role, version, body, expires_at: Date.parse(expires), added_at: now });
