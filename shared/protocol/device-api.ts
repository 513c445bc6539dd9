import { type Static, Type } from "typebox";
import { HardwareFacts } from "./hardware.ts";
import { DeviceId, Id, Labels, Millis, Name } from "./primitives.ts";

/** Paths of the device listener (HTTPS). All but `ca`, `enroll` and `activate` ask for the device's certificate. */
export const DEVICE_API = {
  ca: "/device/v1/ca",
  enroll: "/device/v1/enroll",
  /** Second half of an enrollment with a TPM: the proof that attestation and endorsement key share one chip. */
  activate: "/device/v1/enroll/activate",
  renew: "/device/v1/renew",
  desired: "/device/v1/desired",
  policy: "/device/v1/policy",
  /** Secrets of the device, sealed to it. */
  secrets: "/device/v1/secrets",
  /** Leases of the keys of sealed models. */
  keys: "/device/v1/keys",
  /** Hard examples, one a POST. */
  examples: "/device/v1/examples",
  /** TUF metadata: `<base>/<version>.root.json`, `timestamp.json`, ... */
  tuf: "/device/v1/tuf/",
  /** TUF targets: `<base>/releases/<name>/<hash>.<version>.json`. */
  targets: "/device/v1/targets/",
  /** `<base>/<64 hex digits>`, with Range (RFC 9110 section 14). */
  artifacts: "/device/v1/artifacts/",
} as const;

const Pem = Type.String({ minLength: 1, maxLength: 16_384, pattern: "^-----BEGIN " });

/** Base64 of at most so many bytes. */
const Bytes = (most: number) =>
  Type.String({ minLength: 4, maxLength: Math.ceil(most / 3) * 4, pattern: "^[A-Za-z0-9+/]*={0,2}$" });

/** How sure it is who speaks, best first; see docs/enrollment.md. */
export const AssuranceLevel = Type.Union([
  Type.Literal("tpm-certified"),
  Type.Literal("tpm-pinned"),
  Type.Literal("software"),
]);
export type AssuranceLevel = Static<typeof AssuranceLevel>;

/** What a TPM says of itself at enrollment; all of it is public. */
export const TpmIdentity = Type.Object(
  {
    /** TPM2B_PUBLIC of the endorsement key. */
    ekPublic: Bytes(1024),
    /** DER, that of the endorsement key and those between it and the root of its vendor, as the TPM keeps them. */
    ekCertificates: Type.Array(Bytes(8192), { maxItems: 8 }),
    /** TPM2B_PUBLIC of the attestation key. */
    akPublic: Bytes(1024),
  },
  { additionalProperties: false },
);
export type TpmIdentity = Static<typeof TpmIdentity>;

export const EnrollRequest = Type.Object(
  {
    /** `<token id>.<secret>` of the join token. */
    token: Type.String({ minLength: 1, maxLength: 128 }),
    /** PKCS#10 request signed by the device's RSA key. */
    csr: Pem,
    /** Ed25519 key with which the device signs what it says, hex. */
    signingKey: Type.String({ pattern: "^[0-9a-f]{64}$" }),
    /** X25519 key to which secrets and model keys for the device are sealed, hex. */
    sealingKey: Type.String({ pattern: "^[0-9a-f]{64}$" }),
    /** Absent on a box without a TPM: its keys are software. */
    tpm: Type.Optional(TpmIdentity),
    name: Type.Optional(Name),
    labels: Type.Optional(Labels),
    hardware: HardwareFacts,
  },
  { additionalProperties: false },
);
export type EnrollRequest = Static<typeof EnrollRequest>;

export const EnrollResponse = Type.Object({
  device: DeviceId,
  certificate: Pem,
  ca: Pem,
  mqttUrl: Type.String({ maxLength: 512 }),
  /** TUF root metadata, as JSON text, that the device pins from now on. */
  tufRoot: Type.String({ maxLength: 524_288 }),
  assurance: AssuranceLevel,
});
export type EnrollResponse = Static<typeof EnrollResponse>;

/**
 * Credential activation (TPM 2.0 part 1, 24): only the TPM that holds both keys can get the secret out. Good for one
 * try until `notAfter`.
 */
export const ActivationChallenge = Type.Object({
  challenge: Type.Object({
    id: Id,
    /** TPM2B_ID_OBJECT. */
    credentialBlob: Bytes(512),
    /** TPM2B_ENCRYPTED_SECRET. */
    encryptedSecret: Bytes(1024),
    notAfter: Millis,
  }),
});
export type ActivationChallenge = Static<typeof ActivationChallenge>;

/** Answer of `enroll`: a certificate, or for a request with `tpm` a challenge. */
export const EnrollAnswer = Type.Union([EnrollResponse, ActivationChallenge]);
export type EnrollAnswer = Static<typeof EnrollAnswer>;

export const ActivateRequest = Type.Object(
  {
    id: Id,
    /** `activationProof` of the secret, hex. */
    proof: Type.String({ pattern: "^[0-9a-f]{64}$" }),
  },
  { additionalProperties: false },
);
export type ActivateRequest = Static<typeof ActivateRequest>;

export const RenewRequest = Type.Object({ csr: Pem }, { additionalProperties: false });
export type RenewRequest = Static<typeof RenewRequest>;

export const RenewResponse = Type.Object({ certificate: Pem, ca: Pem });
export type RenewResponse = Static<typeof RenewResponse>;

/** RFC 9457 problem document with the catalogue code and remedy. */
export const Problem = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String(),
  code: Type.String(),
  remedy: Type.String(),
  retryable: Type.Boolean(),
});
export type Problem = Static<typeof Problem>;
