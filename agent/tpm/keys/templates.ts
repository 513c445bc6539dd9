import { TPMA_OBJECT } from "@muster/shared/tpm/constants";
import type { HashName } from "@muster/shared/tpm/hash";
import { digestOf } from "@muster/shared/tpm/hash";
import type { EccPublicArea, PublicArea, RsaPublicArea } from "@muster/shared/tpm/public-area";

const { FIXED_TPM, FIXED_PARENT, SENSITIVE_DATA_ORIGIN, USER_WITH_AUTH, ADMIN_WITH_POLICY } = TPMA_OBJECT;
const { NO_DA, RESTRICTED, DECRYPT, SIGN_ENCRYPT } = TPMA_OBJECT;
const BORN_HERE = FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN;
const NOTHING = Buffer.alloc(0);

/** PolicyA: the password of the endorsement hierarchy (EK credential profile, B.2). */
const POLICY_A = Buffer.from("837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa", "hex");
/** PolicyB: PolicyA, or what the owner has put into a certain NV index (EK credential profile, B.6). */
const POLICY_B: Partial<Record<HashName, Buffer>> = {
  sha256: Buffer.from("ca3d0a99a2b93906f7a3342414efcfb3a385d44cd1fd459089d19b5071c0b7a0", "hex"),
  sha384: Buffer.from(
    "b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12",
    "hex",
  ),
  sha512: Buffer.from(
    "b8221ca69e8550a4914de3faa6a18c072cc01208073a928d5d66d59ef79e49a429c41a6b269571d57edb25fbdb183842" +
      "5608b413cd616a5f6db5b6071af99bea",
    "hex",
  ),
};

const storage = (attributes: number, nameAlg: HashName, bits: number, authPolicy: Buffer) => ({
  nameAlg,
  attributes: BORN_HERE | RESTRICTED | DECRYPT | attributes,
  authPolicy,
  symmetric: { algorithm: "aes", bits, mode: "cfb" } as const,
  scheme: null,
});

/** Templates of the low range begin with as many zeros as the key is long; those of the high range with nothing. */
const zeros = (bytes: number): Buffer => Buffer.alloc(bytes);

const highEcc = (curve: EccPublicArea["curve"], nameAlg: HashName, bits: number): EccPublicArea => ({
  type: "ecc",
  ...storage(ADMIN_WITH_POLICY | USER_WITH_AUTH, nameAlg, bits, POLICY_B[nameAlg] ?? NOTHING),
  curve,
  x: NOTHING,
  y: NOTHING,
});

const highRsa = (rsaBits: number, nameAlg: HashName, bits: number): RsaPublicArea => ({
  type: "rsa",
  ...storage(ADMIN_WITH_POLICY | USER_WITH_AUTH, nameAlg, bits, POLICY_B[nameAlg] ?? NOTHING),
  bits: rsaBits,
  exponent: 0,
  modulus: NOTHING,
});

/** L-2 of the EK credential profile. */
export const EK_ECC_P256: PublicArea = {
  type: "ecc",
  ...storage(ADMIN_WITH_POLICY, "sha256", 128, POLICY_A),
  curve: "p256",
  x: zeros(32),
  y: zeros(32),
};

/** L-1 of the EK credential profile. */
export const EK_RSA_2048: PublicArea = {
  type: "rsa",
  ...storage(ADMIN_WITH_POLICY, "sha256", 128, POLICY_A),
  bits: 2048,
  exponent: 0,
  modulus: zeros(256),
};

/** H-1 to H-4, H-6 and H-7 of the EK credential profile. */
export const EK_HIGH = {
  rsa2048: highRsa(2048, "sha256", 128),
  p256: highEcc("p256", "sha256", 128),
  p384: highEcc("p384", "sha384", 256),
  p521: highEcc("p521", "sha512", 256),
  rsa3072: highRsa(3072, "sha384", 256),
  rsa4096: highRsa(4096, "sha384", 256),
} as const satisfies Record<string, PublicArea>;

/** The storage key of the owner: H-2 and H-1 of the TCG provisioning guidance with the attributes of an SRK. */
export const SRK_ECC_P256: PublicArea = {
  type: "ecc",
  ...storage(USER_WITH_AUTH | NO_DA, "sha256", 128, NOTHING),
  curve: "p256",
  x: NOTHING,
  y: NOTHING,
};
export const SRK_RSA_2048: PublicArea = {
  type: "rsa",
  ...storage(USER_WITH_AUTH | NO_DA, "sha256", 128, NOTHING),
  bits: 2048,
  exponent: 0,
  modulus: NOTHING,
};

/** With this in its template, a primary key of Muster is another one than those of other programs. */
const OUR_OWN = digestOf("sha256", Buffer.from("muster attestation key"));

const attestation = {
  nameAlg: "sha256",
  attributes: BORN_HERE | RESTRICTED | SIGN_ENCRYPT | USER_WITH_AUTH | NO_DA,
  authPolicy: NOTHING,
  symmetric: null,
} as const;

export const AK_ECC_P256: PublicArea = {
  type: "ecc",
  ...attestation,
  scheme: { algorithm: "ecdsa", hash: "sha256" },
  curve: "p256",
  x: OUR_OWN,
  y: NOTHING,
};
export const AK_RSA_2048: PublicArea = {
  type: "rsa",
  ...attestation,
  scheme: { algorithm: "rsassa", hash: "sha256" },
  bits: 2048,
  exponent: 0,
  modulus: OUR_OWN,
};
