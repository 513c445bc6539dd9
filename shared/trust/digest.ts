import { createHash } from "node:crypto";
import type { Digest } from "../protocol/primitives.ts";

/** SHA-256 of the bytes as `sha256:<hex>`. */
export const sha256 = (bytes: Uint8Array | string): Digest =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** The 64 hex digits of a digest, as file and URL names use them. */
export const hexOf = (digest: string): string => digest.slice("sha256:".length);

const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";

/** Device id of a TLS public key in DER (SubjectPublicKeyInfo): `d` and 100 bits of its SHA-256 in base32. */
export function deviceIdOf(spki: Uint8Array): string {
  const hash = createHash("sha256").update(spki).digest();
  let bits = 0n;
  for (const byte of hash.subarray(0, 13)) bits = (bits << 8n) | BigInt(byte);
  bits >>= 4n;
  let id = "";
  for (let position = 95n; position >= 0n; position -= 5n) id += BASE32[Number((bits >> position) & 31n)];
  return `d${id}`;
}
