import { createHash } from "node:crypto";
import {
  Key,
  Metadata,
  MetadataKind,
  MetaFile,
  type Root,
  Signature,
  Snapshot,
  TargetFile,
  Targets,
  Timestamp,
} from "@tufjs/models";
import { asMusterError, MusterError } from "../errors.ts";
import { validate } from "../protocol/validate.ts";
import { canonicalJson } from "./canonical-json.ts";
import { DIRECTIVE_KEYS, DirectiveKeys } from "./directive-keys.ts";
import { type SigningKey, signBytes } from "./ed25519.ts";
import type { TrustedKeys } from "./signed-document.ts";

/** TUF roles (specification 1.0.34) as Muster uses them: root and targets offline, the others online. */
const SPEC_VERSION = "1.0.34";

export interface RootPlan {
  version: number;
  /** ISO 8601, second precision. */
  expires: string;
  /** Offline public keys, hex. */
  root: { keys: readonly string[]; threshold: number };
  targets: { keys: readonly string[]; threshold: number };
  /** Online public keys, hex. */
  snapshot: string;
  timestamp: string;
  directive: TrustedKeys;
}

export type AnyMetadata = Metadata<Root> | Metadata<Targets> | Metadata<Snapshot> | Metadata<Timestamp>;

const tufKeyId = (publicKey: string): string =>
  createHash("sha256")
    .update(canonicalJson({ keytype: "ed25519", keyval: { public: publicKey }, scheme: "ed25519" }))
    .digest("hex");

const tufKey = (publicKey: string): Key =>
  new Key({
    keyID: tufKeyId(publicKey),
    keyType: "ed25519",
    scheme: "ed25519",
    keyVal: { public: publicKey },
  });

/** TUF expiry: ISO 8601 without fractions of a second. */
export const tufTime = (millis: number): string => `${new Date(millis).toISOString().slice(0, 19)}Z`;

/** Unsigned root metadata with consistent snapshots. */
export function newRoot(plan: RootPlan): Metadata<Root> {
  const role = (keys: readonly string[], threshold: number) => ({ keyids: keys.map(tufKeyId), threshold });
  const all = [...plan.root.keys, ...plan.targets.keys, plan.snapshot, plan.timestamp];
  const signed = {
    _type: MetadataKind.Root,
    version: plan.version,
    spec_version: SPEC_VERSION,
    expires: plan.expires,
    consistent_snapshot: true,
    keys: Object.fromEntries(all.map((key) => [tufKeyId(key), tufKey(key).toJSON()])),
    roles: {
      root: role(plan.root.keys, plan.root.threshold),
      targets: role(plan.targets.keys, plan.targets.threshold),
      snapshot: role([plan.snapshot], 1),
      timestamp: role([plan.timestamp], 1),
    },
    [DIRECTIVE_KEYS]: { ...plan.directive },
  };
  return Metadata.fromJSON(MetadataKind.Root, { signed, signatures: [] });
}

export interface TargetEntry {
  path: string;
  /** Bytes. */
  length: number;
  /** SHA-256, hex. */
  sha256: string;
}

/** Unsigned targets metadata. */
export const newTargets = (
  version: number,
  expires: string,
  entries: readonly TargetEntry[],
): Metadata<Targets> =>
  new Metadata(
    new Targets({
      version,
      specVersion: SPEC_VERSION,
      expires,
      targets: Object.fromEntries(
        entries.map(({ path, length, sha256 }) => [
          path,
          new TargetFile({ path, length, hashes: { sha256 } }),
        ]),
      ),
    }),
  );

/** The entries of targets metadata, in its own order. */
export const targetEntries = (metadata: Metadata<Targets>): TargetEntry[] =>
  Object.values(metadata.signed.targets).map(({ path, length, hashes }) => ({
    path,
    length,
    sha256: hashes.sha256 ?? "",
  }));

export const newSnapshot = (version: number, expires: string, targetsVersion: number): Metadata<Snapshot> =>
  new Metadata(
    new Snapshot({
      version,
      specVersion: SPEC_VERSION,
      expires,
      meta: { "targets.json": new MetaFile({ version: targetsVersion }) },
    }),
  );

export const newTimestamp = (
  version: number,
  expires: string,
  snapshotVersion: number,
): Metadata<Timestamp> =>
  new Metadata(
    new Timestamp({
      version,
      specVersion: SPEC_VERSION,
      expires,
      snapshotMeta: new MetaFile({ version: snapshotVersion }),
    }),
  );

/** Adds a signature; signatures by other keys stay. */
export function addSignature(metadata: AnyMetadata, key: SigningKey): void {
  metadata.sign(
    (bytes) => new Signature({ keyID: tufKeyId(key.publicKey), sig: signBytes(key, bytes) }),
    true,
  );
}

export const metadataText = (metadata: AnyMetadata): string => JSON.stringify(metadata.toJSON());

function parse<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw asMusterError(cause, "trust.metadata-invalid");
  }
}

export const parseRoot = (text: string): Metadata<Root> =>
  parse(() => Metadata.fromJSON(MetadataKind.Root, JSON.parse(text)));

export const parseTargets = (text: string): Metadata<Targets> =>
  parse(() => Metadata.fromJSON(MetadataKind.Targets, JSON.parse(text)));

/**
 * Checks a new root against the one in force (TUF 5.3.4, 5.3.5): signed by both, version one higher.
 * Without a root in force it must be version 1 and signed by itself.
 * @throws MusterError `trust.root-invalid`
 */
export function verifyRoot(next: Metadata<Root>, current: Metadata<Root> | undefined): void {
  const expected = (current?.signed.version ?? 0) + 1;
  if (next.signed.version !== expected)
    throw new MusterError(
      "trust.root-invalid",
      `The root has version ${next.signed.version}; ${expected} is next.`,
    );
  try {
    (current ?? next).verifyDelegate("root", next);
    next.verifyDelegate("root", next);
  } catch (cause) {
    throw new MusterError("trust.root-invalid", undefined, { cause });
  }
  directiveKeysOf(next);
}

/**
 * Checks new targets metadata (TUF 5.6.3, 5.6.4): signed as the root demands, version higher than the last.
 * @throws MusterError `trust.metadata-invalid`
 */
export function verifyTargets(next: Metadata<Targets>, root: Metadata<Root>, currentVersion: number): void {
  if (next.signed.version <= currentVersion)
    throw new MusterError(
      "trust.metadata-invalid",
      `The targets have version ${next.signed.version}; ${currentVersion} is in force already.`,
    );
  try {
    root.verifyDelegate("targets", next);
  } catch (cause) {
    throw new MusterError("trust.metadata-invalid", "The targets are not signed by the targets keys.", {
      cause,
    });
  }
}

/** Keys that may sign directives, by key id. @throws MusterError `trust.metadata-invalid` */
export const directiveKeysOf = (root: Metadata<Root>): DirectiveKeys =>
  validate(DirectiveKeys, root.signed.unrecognizedFields[DIRECTIVE_KEYS], "trust.metadata-invalid");
