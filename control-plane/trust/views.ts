import type { TrustRole } from "../storage/tables/releases.ts";

interface OnlinePublicKey {
  keyId: string;
  /** Ed25519, hex. */
  publicKey: string;
}

export type OnlinePublicKeys = Record<"snapshot" | "timestamp" | "directive", OnlinePublicKey>;

/** State of the trust metadata. Texts are null and versions 0 before `muster trust init`. */
export interface TrustView {
  online: OnlinePublicKeys;
  root: string | null;
  targets: string | null;
  versions: Record<TrustRole, number>;
  /** Milliseconds since the epoch; null where there is none. */
  expires: Record<TrustRole, number | null>;
}
