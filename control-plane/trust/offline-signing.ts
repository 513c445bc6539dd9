import {
  addSignature,
  metadataText,
  newRoot,
  newTargets,
  parseTargets,
  type TargetEntry,
  targetEntries,
  tufTime,
} from "@muster/shared/trust/tuf";
import type { OfflineKeys } from "./offline-keys.ts";
import type { OnlinePublicKeys } from "./views.ts";

const DAY = 86_400_000;

/** Validity of what is signed offline, milliseconds: long, since a person must bring out the keys. */
const ROOT_VALIDITY = 3650 * DAY;
const TARGETS_VALIDITY = 1825 * DAY;

/** Root metadata that names the operator's keys and the control plane's online keys, signed. JSON text. */
export function buildRoot(keys: OfflineKeys, online: OnlinePublicKeys, version: number, now: number): string {
  const root = newRoot({
    version,
    expires: tufTime(now + ROOT_VALIDITY),
    root: { keys: [keys.root.publicKey], threshold: 1 },
    targets: { keys: [keys.targets.publicKey], threshold: 1 },
    snapshot: online.snapshot.publicKey,
    timestamp: online.timestamp.publicKey,
    directive: { [online.directive.keyId]: online.directive.publicKey },
  });
  addSignature(root, keys.root);
  return metadataText(root);
}

/** Targets metadata with these entries, signed. JSON text. */
export function signTargets(
  keys: OfflineKeys,
  version: number,
  entries: readonly TargetEntry[],
  now: number,
): string {
  const targets = newTargets(version, tufTime(now + TARGETS_VALIDITY), entries);
  addSignature(targets, keys.targets);
  return metadataText(targets);
}

/**
 * The next targets: those in force and one more entry, signed. JSON text. An entry of the same path is
 * replaced, which the control plane then refuses: releases never change.
 * @throws MusterError `trust.metadata-invalid` where the targets in force cannot be read
 */
export function addTarget(keys: OfflineKeys, current: string, entry: TargetEntry, now: number): string {
  const targets = parseTargets(current);
  const others = targetEntries(targets).filter(({ path }) => path !== entry.path);
  return signTargets(keys, targets.signed.version + 1, [...others, entry], now);
}
