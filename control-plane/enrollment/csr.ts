import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { MusterError } from "@muster/shared/errors";
import type { Digest } from "@muster/shared/protocol/primitives";
import { deviceIdOf, sha256 } from "@muster/shared/trust/digest";
import forge from "node-forge";

const HASH_BY_SIGNATURE: Readonly<Record<string, string>> = {
  "1.2.840.113549.1.1.11": "sha256",
  "1.2.840.113549.1.1.12": "sha384",
  "1.2.840.113549.1.1.13": "sha512",
};

const MIN_BITS = 2048;
/** Larger keys would let a device make each handshake of the server expensive. */
const MAX_BITS = 4096;

export interface CheckedRequest {
  /** Id that follows from the key; whatever subject the request names is ignored. */
  device: string;
  publicKey: KeyObject;
  /** Digest of its SubjectPublicKeyInfo. */
  keyDigest: Digest;
}

const invalid = (message: string, cause?: unknown): MusterError =>
  new MusterError("enrollment.csr-invalid", message, { cause });

function derOf(pem: string): forge.util.ByteStringBuffer {
  const [message] = forge.pem.decode(pem);
  if (message?.type !== "CERTIFICATE REQUEST" && message?.type !== "NEW CERTIFICATE REQUEST")
    throw invalid("This is not a certificate request in PEM.");
  return forge.util.createBuffer(message.body);
}

/**
 * Takes a PKCS#10 request (RFC 2986) apart with node-forge and verifies with node:crypto that its sender holds
 * the private key.
 * @throws MusterError `enrollment.csr-invalid`
 */
export function checkRequest(pem: string): CheckedRequest {
  let signed: Buffer;
  let signature: Buffer;
  let hash: string | undefined;
  let publicKey: KeyObject;
  try {
    const request = forge.asn1.fromDer(derOf(pem));
    const [info, algorithm, bits] = request.value as forge.asn1.Asn1[];
    const [, , spki] = (info?.value ?? []) as forge.asn1.Asn1[];
    const [oid] = (algorithm?.value ?? []) as forge.asn1.Asn1[];
    if (!info || !spki || !oid || typeof bits?.value !== "string") throw invalid("A part of it is missing.");
    signed = Buffer.from(forge.asn1.toDer(info).getBytes(), "binary");
    // The first byte of a BIT STRING counts unused bits: none in a signature.
    signature = Buffer.from(bits.value.slice(1), "binary");
    hash = HASH_BY_SIGNATURE[forge.asn1.derToOid(String(oid.value))];
    publicKey = createPublicKey({
      key: Buffer.from(forge.asn1.toDer(spki).getBytes(), "binary"),
      format: "der",
      type: "spki",
    });
  } catch (error) {
    throw error instanceof MusterError ? error : invalid("The certificate request cannot be read.", error);
  }
  const bits = publicKey.asymmetricKeyDetails?.modulusLength ?? 0;
  if (publicKey.asymmetricKeyType !== "rsa" || bits < MIN_BITS || bits > MAX_BITS)
    throw invalid(
      `The key is ${publicKey.asymmetricKeyType} of ${bits} bits; RSA of ${MIN_BITS} to ${MAX_BITS} bits is accepted.`,
    );
  if (publicKey.asymmetricKeyDetails?.publicExponent !== 65_537n)
    throw invalid("The public exponent of the key is not 65537.");
  if (!hash || !verify(hash, signed, publicKey, signature))
    throw invalid("The request is not signed by its own key with RSA and SHA-256, 384 or 512.");
  const spki = publicKey.export({ type: "spki", format: "der" });
  return { device: deviceIdOf(spki), publicKey, keyDigest: sha256(spki) };
}
