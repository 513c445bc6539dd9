import { type Static, Type } from "typebox";
import { MusterError } from "../errors.ts";
import type { SigningKey } from "../trust/ed25519.ts";
import { SealedBox } from "../trust/sealed-box.ts";
import {
  isSignedBy,
  type Signed,
  SignedDocument,
  signDocument,
  type TrustedKeys,
} from "../trust/signed-document.ts";
import { DeviceId, Millis, PROTOCOL_VERSION } from "./primitives.ts";
import { SealKeyId } from "./release.ts";

const DOMAIN = "muster/key-lease/v1";
const closed = { additionalProperties: false };

/** Keys asked for at once. */
export const MOST_LEASES = 32;

/** The right of one device to load what is sealed with one key, until `notAfter`. */
const KeyLeasePayload = Type.Object(
  {
    v: Type.Literal(PROTOCOL_VERSION),
    device: DeviceId,
    key: SealKeyId,
    issuedAt: Millis,
    notAfter: Millis,
    /** The 32 bytes of the key, sealed to the sealing key of the device. */
    sealed: SealedBox,
  },
  closed,
);
export type KeyLeasePayload = Static<typeof KeyLeasePayload>;

export const KeyLease = SignedDocument(KeyLeasePayload);
export type KeyLease = Signed<KeyLeasePayload>;

/** Body of a POST to `DEVICE_API.keys`. */
export const KeyRequest = Type.Object(
  { keys: Type.Array(SealKeyId, { minItems: 1, maxItems: MOST_LEASES, uniqueItems: true }) },
  closed,
);

/** Its answer: a lease of every key that was asked for; there is no answer with some of them. */
export const KeyAnswer = Type.Object({ leases: Type.Array(KeyLease, { maxItems: MOST_LEASES }) }, closed);

export const signKeyLease = (payload: KeyLeasePayload, key: SigningKey): KeyLease =>
  signDocument(DOMAIN, payload, key);

/**
 * Checks who signed a lease and for whom; whether its time is over is the caller's to ask.
 * @throws MusterError `key.lease-invalid`
 */
export function requireLeaseFor(lease: KeyLease, device: string, keys: TrustedKeys): void {
  if (!isSignedBy(DOMAIN, lease, keys))
    throw new MusterError("key.lease-invalid", "It is not signed by the key that signs directives.");
  if (lease.payload.device !== device)
    throw new MusterError("key.lease-invalid", `It is for ${lease.payload.device}.`);
}
