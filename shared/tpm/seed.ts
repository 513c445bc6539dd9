import { constants, createECDH, type ECDH, publicEncrypt } from "node:crypto";
import { MusterError } from "../errors.ts";
import { COORDINATE_SIZE, type Curve, padded } from "./curve.ts";
import { HASH_SIZE } from "./hash.ts";
import { kdfe } from "./kdf.ts";
import { toKeyObject } from "./key-object.ts";
import type { EccPublicArea, PublicArea, RsaPublicArea } from "./public-area.ts";
import { TpmWriter } from "./wire.ts";

const NODE_CURVES: Readonly<Record<Curve, string>> = {
  p256: "prime256v1",
  p384: "secp384r1",
  p521: "secp521r1",
};

/** A seed that only the TPM with the key can open, as the inside of a TPM2B_ENCRYPTED_SECRET. */
interface Seed {
  readonly seed: Buffer;
  readonly encrypted: Buffer;
}

/**
 * Shares a secret with a storage key: by OAEP with RSA, by one-pass ECDH with ECC (part 1, B.10.3 and C.6.1).
 * @param to a restricted decryption key; RSA and ECC of the curves that are known here
 * @param label what it is for, without its NUL: IDENTITY for a credential, SECRET for a session
 * @param random as many random bytes as asked for
 * @throws MusterError `tpm.malformed` for a key that is none
 */
export const sharedSeed = (to: PublicArea, label: string, random: (bytes: number) => Uint8Array): Seed =>
  to.type === "rsa" ? rsaSeed(to, label, random) : eccSeed(to, label, random);

function rsaSeed(to: RsaPublicArea, label: string, random: (bytes: number) => Uint8Array): Seed {
  const seed = Buffer.from(random(HASH_SIZE[to.nameAlg]));
  const key = toKeyObject(to);
  const oaep = { oaepHash: to.nameAlg, oaepLabel: Buffer.from(`${label}\0`) };
  try {
    return {
      seed,
      encrypted: publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, ...oaep }, seed),
    };
  } catch (cause) {
    throw new MusterError("tpm.malformed", "Nothing can be encrypted to this RSA key.", { cause });
  }
}

function eccSeed(to: EccPublicArea, label: string, random: (bytes: number) => Uint8Array): Seed {
  // Refuses a point that is not on the curve: with one, the shared secret would be of an attacker's choice.
  toKeyObject(to);
  const size = COORDINATE_SIZE[to.curve];
  const recipient = padded(to.x, size);
  const ephemeral = ephemeralKey(to.curve, random);
  const point = ephemeral.getPublicKey();
  const [x, y] = [point.subarray(1, 1 + size), point.subarray(1 + size)];
  const shared = ephemeral.computeSecret(Buffer.concat([Buffer.of(4), recipient, padded(to.y, size)]));
  const seed = kdfe(to.nameAlg, { shared, ephemeral: x, recipient }, label);
  return { seed, encrypted: new TpmWriter().sized(x).sized(y).build() };
}

const MOST_DRAWS = 64;

/** Draws until the number is a private key of the curve, which all but very few are. */
function ephemeralKey(curve: Curve, random: (bytes: number) => Uint8Array): ECDH {
  const ecdh = createECDH(NODE_CURVES[curve]);
  for (let draw = 0; draw < MOST_DRAWS; draw++) {
    const scalar = Buffer.from(random(COORDINATE_SIZE[curve]));
    if (curve === "p521") scalar[0] = (scalar[0] ?? 0) & 1;
    try {
      ecdh.setPrivateKey(scalar);
      return ecdh;
    } catch {
      // Zero or above the order of the curve.
    }
  }
  throw new MusterError("tpm.malformed", "No private key could be drawn: the random numbers are no good.");
}
