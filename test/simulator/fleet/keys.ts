import { createHash, createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { deviceIdOf, sha256 } from "@muster/shared/trust/digest";
import type { SigningKey } from "@muster/shared/trust/ed25519";
import { certificateRequest } from "./csr.ts";
import { EXPONENT, primesOf } from "./primes.ts";

/** Everything that a device brings to its enrollment. */
export interface DeviceKeys {
  id: string;
  /** TLS key, PKCS#8 PEM. */
  key: string;
  csr: string;
  /** Ed25519. */
  signing: SigningKey;
  /** X25519 public key, hex. */
  sealingKey: string;
}

const base64url = (value: bigint): string => {
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex").toString("base64url");
};

function inverse(value: bigint, modulus: bigint): bigint {
  let [r0, r1, t0, t1] = [modulus, value % modulus, 0n, 1n];
  while (r1 !== 0n) {
    const quotient = r0 / r1;
    [r0, r1] = [r1, r0 - quotient * r1];
    [t0, t1] = [t1, t0 - quotient * t1];
  }
  return t0 < 0n ? t0 + modulus : t0;
}

function rsaKey(p: bigint, q: bigint): KeyObject {
  const jwk = {
    kty: "RSA",
    n: base64url(p * q),
    e: base64url(EXPONENT),
    d: base64url(inverse(EXPONENT, (p - 1n) * (q - 1n))),
    p: base64url(p),
    q: base64url(q),
    dp: base64url(inverse(EXPONENT, p - 1n)),
    dq: base64url(inverse(EXPONENT, q - 1n)),
    qi: base64url(inverse(q, p)),
  };
  return createPrivateKey({ key: jwk, format: "jwk" });
}

/** DER before a raw Ed25519 seed (RFC 8410). */
const ED25519_PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");
/** The same before a raw X25519 key. */
const X25519_PKCS8 = Buffer.from("302e020100300506032b656e04220420", "hex");

/** As `signingKeyFrom`, by node:crypto: ten thousand keys take seconds and not minutes. */
function signingKeyOf(seed: string): SigningKey {
  const publicKey = publicKeyOf(ED25519_PKCS8, seed);
  const keyId = sha256(Buffer.from(publicKey, "hex")).slice(7, 23);
  return { keyId, publicKey, seed: createHash("sha256").update(seed).digest("hex") };
}

function publicKeyOf(prefix: Buffer, seed: string): string {
  const raw = createHash("sha256").update(seed).digest();
  const key = createPrivateKey({ key: Buffer.concat([prefix, raw]), format: "der", type: "pkcs8" });
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  return spki.subarray(-32).toString("hex");
}

/** Fewest primes with so many pairs. */
const primesFor = (keys: number): number => Math.ceil((1 + Math.sqrt(1 + 8 * keys)) / 2);

/**
 * Distinct RSA-2048 keys that follow from the seed, so that a run can be repeated with the same device ids. Drawing
 * 10,000 keys would take an hour; all pairs of 142 primes take a minute. Keys that share a prime are broken by a
 * greatest common divisor and seeded ones by guessing the seed: good for devices that do not exist, for no other.
 */
export async function* deviceKeys(seed: number, count: number): AsyncGenerator<DeviceKeys> {
  const primes = await primesOf(seed, primesFor(count) + 1);
  let made = 0;
  for (let i = 1; i < primes.length; i += 1)
    for (let j = 0; j < i && made < count; j += 1, made += 1) {
      const key = rsaKey(primes[i]!, primes[j]!);
      const spki = createPublicKey(key).export({ type: "spki", format: "der" });
      const id = deviceIdOf(spki);
      yield {
        id,
        key: key.export({ type: "pkcs8", format: "pem" }).toString(),
        csr: certificateRequest(id, key, spki),
        signing: signingKeyOf(`muster simulator ${seed} ${made}`),
        sealingKey: publicKeyOf(X25519_PKCS8, `muster simulator sealing ${seed} ${made}`),
      };
    }
}
