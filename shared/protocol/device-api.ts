import { type Static, Type } from "typebox";
import { HardwareFacts } from "./hardware.ts";
import { DeviceId, Labels, Name } from "./primitives.ts";

/** Paths of the device listener (HTTPS). All but `ca` and `enroll` ask for the device's client certificate. */
export const DEVICE_API = {
  ca: "/device/v1/ca",
  enroll: "/device/v1/enroll",
  renew: "/device/v1/renew",
  desired: "/device/v1/desired",
  policy: "/device/v1/policy",
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

export const EnrollRequest = Type.Object(
  {
    /** `<token id>.<secret>` of the join token. */
    token: Type.String({ minLength: 1, maxLength: 128 }),
    /** PKCS#10 request signed by the device's RSA key. */
    csr: Pem,
    /** Ed25519 key with which the device signs what it says, hex. */
    signingKey: Type.String({ pattern: "^[0-9a-f]{64}$" }),
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
});
export type EnrollResponse = Static<typeof EnrollResponse>;

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
