import { MusterError } from "@muster/shared/errors";
import { parseJson } from "@muster/shared/protocol/validate";
import { sha256 } from "@muster/shared/trust/digest";
import type { SigningKey } from "@muster/shared/trust/ed25519";
import { isSignedBy, signDocument, type TrustedKeys } from "@muster/shared/trust/signed-document";
import { parseRoot } from "@muster/shared/trust/tuf";
import { ReferenceSet, SignedReferenceSet } from "./reference-set.ts";
import { requireSound } from "./rules.ts";

const DOMAIN = "muster/reference-set/v1";

/** Signs a reviewed reference set with the offline targets key. @throws MusterError `attestation.reference-invalid` */
export function signReferenceSet(set: ReferenceSet, key: SigningKey): SignedReferenceSet {
  requireSound(set);
  return signDocument(DOMAIN, set, key);
}

/** Keys that may sign reference sets: those of the root's targets role, by key id. @throws MusterError of the `trust.` family */
export function referenceKeysOf(rootText: string): TrustedKeys {
  const { roles, keys } = parseRoot(rootText).signed;
  const ids = roles.targets?.keyIDs ?? [];
  const publicKeys = ids.flatMap((id) => keys[id]?.keyVal.public ?? []);
  return Object.fromEntries(publicKeys.map((key) => [sha256(Buffer.from(key, "hex")).slice(7, 23), key]));
}

/**
 * A signed reference set from its text.
 * @throws MusterError `attestation.reference-invalid`, `attestation.reference-unsigned`
 */
export function openReferenceSet(text: string | Uint8Array, keys: TrustedKeys): SignedReferenceSet {
  const document = parseJson(SignedReferenceSet, text, "attestation.reference-invalid");
  if (!isSignedBy(DOMAIN, document, keys))
    throw new MusterError(
      "attestation.reference-unsigned",
      `The reference set ${document.payload.name} is signed by ${document.keyId}, which is no targets key of this fleet, or it was changed after it was signed.`,
    );
  requireSound(document.payload);
  return document;
}

/** A reviewed file before it is signed. @throws MusterError `attestation.reference-invalid` */
export function readReferenceSet(text: string | Uint8Array): ReferenceSet {
  const set = parseJson(ReferenceSet, text, "attestation.reference-invalid");
  requireSound(set);
  return set;
}
