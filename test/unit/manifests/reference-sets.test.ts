import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import type { ReferenceSet } from "@muster/control-plane/attestation/references/reference-set";
import {
  openReferenceSet,
  readReferenceSet,
  referenceKeysOf,
  signReferenceSet,
} from "@muster/control-plane/attestation/references/signing";
import { type ErrorCode, isMusterError } from "@muster/shared/errors";
import type { Digest } from "@muster/shared/protocol/primitives";
import { sha256 } from "@muster/shared/trust/digest";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import { addSignature, metadataText, newRoot, tufTime } from "@muster/shared/trust/tuf";
import { Appraising, codesOf } from "../../support/attestation/appraising.ts";
import { MadeBox } from "../../support/attestation/made-box.ts";
import { idleMeasurement } from "../../support/attestation/prover.ts";

const directory = new URL("../../../../firmware-manifests/reference-sets/", import.meta.url);
const textOf = (file: string): string => readFileSync(new URL(file, directory), "utf8");
const published = textOf("edge-box.pub").trim();

/** Keys of a fleet whose root names the key of the example beside its own. */
function exampleKeys() {
  const [root, online] = [signingKeyFrom(randomBytes(32)), signingKeyFrom(randomBytes(32))];
  const metadata = newRoot({
    version: 1,
    expires: tufTime(Date.now() + 86_400_000),
    root: { keys: [root.publicKey], threshold: 1 },
    targets: { keys: [root.publicKey, published], threshold: 1 },
    snapshot: online.publicKey,
    timestamp: online.publicKey,
    directive: { [online.keyId]: online.publicKey },
  });
  addSignature(metadata, root);
  return { keys: referenceKeysOf(metadataText(metadata)), own: root };
}

const refused = (work: () => unknown, code: ErrorCode, words = /./): void =>
  assert.throws(work, (error) => isMusterError(error, code) && words.test(error.message));

for (const file of readdirSync(directory).filter((name) => name.endsWith(".json")))
  test(`reference set ${file}`, () => {
    const isSigned = file.endsWith(".signed.json");
    const set = isSigned
      ? openReferenceSet(textOf(file), exampleKeys().keys).payload
      : readReferenceSet(textOf(file));
    assert.equal(`${set.name}${isSigned ? ".signed" : ""}.json`, file);
    if (isSigned) assert.deepEqual(readReferenceSet(textOf(`${set.name}.json`)), set, "signed as reviewed");
  });

test("a box is appraised against the signed example", async () => {
  const { payload } = openReferenceSet(textOf("edge-box.signed.json"), exampleKeys().keys);
  const box = new MadeBox();
  box.measure("agent", idleMeasurement().agent.digest as Digest);
  box.use({ path: "boot_aggregate", content: "x" });
  const plane = new Appraising(box);
  plane.references = [payload];
  plane.policy = {
    ...plane.policy,
    pcrs: { bank: "sha256", indices: Object.keys(payload.firmware![0]!.pcrs.sha256!).map(Number) },
  };
  const verdict = await plane.ask();
  assert.equal(verdict.tier, "affirming", verdict.sentence);
  box.boot({ firmware: "EDGE-1.05" });
  box.measure("agent", idleMeasurement().agent.digest as Digest);
  assert.ok(codesOf(await plane.ask()).includes("firmware-updated"));
});

test("a set is refused that another key signed, or that was changed after it was signed", () => {
  const { keys, own } = exampleKeys();
  const set = readReferenceSet(textOf("edge-box.json"));
  assert.equal(openReferenceSet(JSON.stringify(signReferenceSet(set, own)), keys).payload.name, set.name);
  const stranger = signReferenceSet(set, signingKeyFrom(randomBytes(32)));
  refused(
    () => openReferenceSet(JSON.stringify(stranger), keys),
    "attestation.reference-unsigned",
    /no targets key/,
  );
  const signed = signReferenceSet(set, own);
  const changed = { ...signed, payload: { ...set, sequence: 99 } };
  refused(() => openReferenceSet(JSON.stringify(changed), keys), "attestation.reference-unsigned");
});

test("what makes no sense is refused with its place", () => {
  const set = readReferenceSet(textOf("edge-box.json"));
  const read = (more: Partial<ReferenceSet>) => () => readReferenceSet(JSON.stringify({ ...set, ...more }));
  const [state] = set.firmware!;
  const code = "attestation.reference-invalid";
  refused(read({ sequence: 0 }), code, /sequence/);
  refused(read({ firmware: [state!, state!] }), code, /twice/);
  refused(
    read({ firmware: [{ name: "none", pcrs: { sha256: { "0": "0".repeat(64) } } }] }),
    code,
    /all zeros/,
  );
  refused(read({ ima: { rules: [{ paths: ["/**/**/**/x"] }], otherwise: "warning" } }), code, /\*\*/);
  refused(
    read({ ima: { rules: [{ paths: ["/a"], digests: [sha256("x").slice(0, 20)] }], otherwise: "warning" } }),
    code,
  );
  refused(() => readReferenceSet("{"), code, /not JSON/);
});
