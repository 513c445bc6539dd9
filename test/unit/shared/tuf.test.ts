import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, isMusterError } from "@muster/shared/errors";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import {
  addSignature,
  directiveKeysOf,
  metadataText,
  newRoot,
  newTargets,
  parseRoot,
  parseTargets,
  type RootPlan,
  targetEntries,
  tufTime,
  verifyRoot,
  verifyTargets,
} from "@muster/shared/trust/tuf";

const key = (fill: number) => signingKeyFrom(Buffer.alloc(32, fill));
const keys = { root: key(1), targets: key(2), snapshot: key(3), timestamp: key(4), directive: key(5) };
const stranger = key(6);
const expires = tufTime(Date.UTC(2030, 0, 1));

const plan = (version: number, change: Partial<RootPlan> = {}): RootPlan => ({
  version,
  expires,
  root: { keys: [keys.root.publicKey], threshold: 1 },
  targets: { keys: [keys.targets.publicKey], threshold: 1 },
  snapshot: keys.snapshot.publicKey,
  timestamp: keys.timestamp.publicKey,
  directive: { [keys.directive.keyId]: keys.directive.publicKey },
  ...change,
});

function signedRoot(version: number, signer = keys.root, change: Partial<RootPlan> = {}) {
  const root = newRoot(plan(version, change));
  addSignature(root, signer);
  return parseRoot(metadataText(root));
}

const throwsCode = (code: ErrorCode, act: () => unknown) =>
  assert.throws(act, (error) => isMusterError(error, code));

test("a first root vouches for itself and names the directive keys", () => {
  const root = signedRoot(1);
  verifyRoot(root, undefined);
  assert.deepEqual({ ...directiveKeysOf(root) }, { [keys.directive.keyId]: keys.directive.publicKey });
});

test("a root is rotated by the keys of both versions", () => {
  const current = signedRoot(1);
  const rotated = { root: { keys: [stranger.publicKey], threshold: 1 } };
  const next = newRoot(plan(2, rotated));
  addSignature(next, stranger);
  throwsCode("trust.root-invalid", () => verifyRoot(parseRoot(metadataText(next)), current));
  addSignature(next, keys.root);
  verifyRoot(parseRoot(metadataText(next)), current);
});

test("a root that is unsigned, wrongly signed or out of order is refused", () => {
  throwsCode("trust.root-invalid", () => verifyRoot(newRoot(plan(1)), undefined));
  throwsCode("trust.root-invalid", () => verifyRoot(signedRoot(1, stranger), undefined));
  throwsCode("trust.root-invalid", () => verifyRoot(signedRoot(2), undefined));
  throwsCode("trust.root-invalid", () => verifyRoot(signedRoot(1), signedRoot(1)));
  throwsCode("trust.root-invalid", () => verifyRoot(signedRoot(3), signedRoot(1)));
});

test("text that is no metadata is refused", () => {
  for (const text of ["", "{}", "[]", '{"signed":{},"signatures":[]}']) {
    throwsCode("trust.metadata-invalid", () => parseRoot(text));
    throwsCode("trust.metadata-invalid", () => parseTargets(text));
  }
});

test("targets keep their entries and need the targets key and a higher version", () => {
  const entries = [{ path: "releases/a/1.0.0.json", length: 12, sha256: "c".repeat(64) }];
  const root = signedRoot(1);
  const targets = newTargets(3, expires, entries);
  throwsCode("trust.metadata-invalid", () => verifyTargets(targets, root, 2));
  addSignature(targets, keys.targets);
  const parsed = parseTargets(metadataText(targets));
  verifyTargets(parsed, root, 2);
  assert.deepEqual(targetEntries(parsed), entries);
  throwsCode("trust.metadata-invalid", () => verifyTargets(parsed, root, 3));
});
