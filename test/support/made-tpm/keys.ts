import { constants, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { TPM_ALG, TPMA_OBJECT } from "@muster/shared/tpm/constants";
import { type HashName, hashId } from "@muster/shared/tpm/hash";
import type { PublicArea, SigningScheme } from "@muster/shared/tpm/public-area";
import { TpmWriter } from "@muster/shared/tpm/wire";

export type KeyKind = "rsa" | "ecc" | "p384";

/** A key as a TPM would hold it, kept in memory: for the many and the broken that no real TPM makes quickly. */
export interface MadeKey {
  readonly area: PublicArea;
  /** TPMT_SIGNATURE over the bytes, with the hash of the key unless another is named. */
  sign(bytes: Uint8Array, hash?: HashName): Buffer;
}

const { FIXED_TPM, FIXED_PARENT, SENSITIVE_DATA_ORIGIN, USER_WITH_AUTH, ADMIN_WITH_POLICY } = TPMA_OBJECT;
const BORN = FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | TPMA_OBJECT.RESTRICTED;
const SIGNS = BORN | USER_WITH_AUTH | TPMA_OBJECT.SIGN_ENCRYPT;
const DECRYPTS = BORN | ADMIN_WITH_POLICY | TPMA_OBJECT.DECRYPT;

const drawn = (kind: KeyKind): { publicKey: KeyObject; privateKey: KeyObject } =>
  kind === "rsa"
    ? generateKeyPairSync("rsa", { modulusLength: 2048 })
    : generateKeyPairSync("ec", { namedCurve: kind === "ecc" ? "P-256" : "P-384" });

function areaOf(key: KeyObject, attributes: number, scheme: SigningScheme | null): PublicArea {
  const jwk = key.export({ format: "jwk" });
  const number = (text: string | undefined) => Buffer.from(text ?? "", "base64url");
  const symmetric = scheme ? null : ({ algorithm: "aes", bits: 128, mode: "cfb" } as const);
  const common = { nameAlg: "sha256", attributes, authPolicy: Buffer.alloc(0), symmetric, scheme } as const;
  return jwk.kty === "RSA"
    ? { type: "rsa", ...common, bits: 2048, exponent: 0, modulus: number(jwk.n) }
    : {
        type: "ecc",
        ...common,
        curve: jwk.crv === "P-256" ? "p256" : "p384",
        x: number(jwk.x),
        y: number(jwk.y),
      };
}

/** Public area of a new endorsement key. */
export const makeEndorsementArea = (kind: KeyKind): PublicArea =>
  areaOf(drawn(kind).publicKey, DECRYPTS, null);

/** A new attestation key: RSASSA or ECDSA, with SHA-384 on P-384 and SHA-256 else. */
export function makeAttestationKey(kind: KeyKind): MadeKey {
  const { publicKey, privateKey } = drawn(kind);
  const algorithm = kind === "rsa" ? "rsassa" : "ecdsa";
  const own = kind === "p384" ? "sha384" : "sha256";
  const area = areaOf(publicKey, SIGNS, { algorithm, hash: own });
  return {
    area,
    sign: (bytes, hash = own) => {
      const head = new TpmWriter()
        .u16(algorithm === "rsassa" ? TPM_ALG.RSASSA : TPM_ALG.ECDSA)
        .u16(hashId(hash));
      if (algorithm === "rsassa") {
        const padding = constants.RSA_PKCS1_PADDING;
        return head.sized(sign(hash, bytes, { key: privateKey, padding })).build();
      }
      const flat = sign(hash, bytes, { key: privateKey, dsaEncoding: "ieee-p1363" });
      const half = flat.length / 2;
      return head.sized(flat.subarray(0, half)).sized(flat.subarray(half)).build();
    },
  };
}
