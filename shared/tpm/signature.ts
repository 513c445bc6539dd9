import { constants, type KeyObject, verify } from "node:crypto";
import { MusterError } from "../errors.ts";
import { TPM_ALG } from "./constants.ts";
import { COORDINATE_SIZE, padded } from "./curve.ts";
import { type HashName, hashNameFrom } from "./hash.ts";
import { toKeyObject } from "./key-object.ts";
import type { PublicArea, SigningScheme } from "./public-area.ts";
import { TpmReader } from "./wire.ts";

/** TPMT_SIGNATURE (part 2, 11.3.4). */
export type TpmSignature =
  | { readonly algorithm: "rsassa" | "rsapss"; readonly hash: HashName; readonly signature: Buffer }
  | { readonly algorithm: "ecdsa"; readonly hash: HashName; readonly r: Buffer; readonly s: Buffer };

/** Reads a TPMT_SIGNATURE, whole. @throws MusterError `tpm.malformed` */
export function parseSignature(bytes: Uint8Array): TpmSignature {
  const reader = new TpmReader(bytes, "TPMT_SIGNATURE");
  const signature = readSignature(reader);
  reader.end();
  return signature;
}

function readSignature(reader: TpmReader): TpmSignature {
  const algorithm = reader.u16();
  switch (algorithm) {
    case TPM_ALG.RSASSA:
      return { algorithm: "rsassa", hash: hashNameFrom(reader.u16()), signature: reader.sized() };
    case TPM_ALG.RSAPSS:
      return { algorithm: "rsapss", hash: hashNameFrom(reader.u16()), signature: reader.sized() };
    case TPM_ALG.ECDSA:
      return { algorithm: "ecdsa", hash: hashNameFrom(reader.u16()), r: reader.sized(), s: reader.sized() };
    default:
      throw new MusterError(
        "tpm.malformed",
        `Signatures of scheme 0x${algorithm.toString(16).padStart(4, "0")} are not taken.`,
      );
  }
}

/** A key with the scheme that its TPM keeps it to, for callers that have no public area. */
export interface SchemedKey {
  readonly key: KeyObject;
  readonly scheme: SigningScheme;
}

const EC_SIZES: Readonly<Record<string, number>> = {
  prime256v1: COORDINATE_SIZE.p256,
  secp384r1: COORDINATE_SIZE.p384,
  secp521r1: COORDINATE_SIZE.p521,
};

function schemed(by: PublicArea | SchemedKey): SchemedKey {
  if ("key" in by) return by;
  if (!by.scheme) throw new MusterError("tpm.key-unfit", "The key has no signing scheme of its own.");
  return { key: toKeyObject(by), scheme: by.scheme };
}

/**
 * True when this key signed exactly these bytes with its own scheme and hash. SHA-1 is never taken.
 * @throws MusterError `tpm.malformed` for a signature that cannot be read, `tpm.key-unfit` for a key without scheme
 */
export function verifyAttest(
  by: PublicArea | SchemedKey,
  attest: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { key, scheme } = schemed(by);
  const parsed = parseSignature(signature);
  if (scheme.hash === "sha1" || parsed.hash !== scheme.hash || parsed.algorithm !== scheme.algorithm)
    return false;
  if (parsed.algorithm !== "ecdsa") {
    if (key.asymmetricKeyType !== "rsa") return false;
    return verify(parsed.hash, attest, { key, ...paddingOf(parsed.algorithm) }, parsed.signature);
  }
  const size = EC_SIZES[key.asymmetricKeyDetails?.namedCurve ?? ""];
  if (size === undefined || Math.max(parsed.r.length, parsed.s.length) > size) return false;
  const flat = Buffer.concat([padded(parsed.r, size), padded(parsed.s, size)]);
  return verify(parsed.hash, attest, { key, dsaEncoding: "ieee-p1363" }, flat);
}

const paddingOf = (algorithm: "rsassa" | "rsapss") =>
  algorithm === "rsassa"
    ? { padding: constants.RSA_PKCS1_PADDING }
    : { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO };
