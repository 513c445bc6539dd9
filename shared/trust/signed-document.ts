import { type Static, type TSchema, Type } from "typebox";
import { canonicalJson } from "./canonical-json.ts";
import { type SigningKey, signBytes, verifyBytes } from "./ed25519.ts";

/** A payload with one Ed25519 signature over `<domain>\n` and its canonical JSON. */
export const SignedDocument = <T extends TSchema>(payload: T) =>
  Type.Object(
    {
      payload,
      keyId: Type.String({ pattern: "^[0-9a-f]{16}$" }),
      signature: Type.String({ pattern: "^[0-9a-f]{128}$" }),
    },
    { additionalProperties: false },
  );

export interface Signed<P> {
  payload: P;
  keyId: string;
  signature: string;
}

/** Public keys by key id, hex. */
export type TrustedKeys = Readonly<Record<string, string>>;

/** The domain keeps a signature made for one purpose from being used for another. */
const signedBytes = (domain: string, payload: unknown): Uint8Array =>
  Buffer.from(`${domain}\n${canonicalJson(payload)}`);

export function signDocument<P>(domain: string, payload: P, key: SigningKey): Signed<P> {
  return { payload, keyId: key.keyId, signature: signBytes(key, signedBytes(domain, payload)) };
}

/** True when a trusted key signed exactly this payload for this domain. */
export function isSignedBy<T extends TSchema>(
  domain: string,
  document: Signed<Static<T>>,
  keys: TrustedKeys,
): boolean {
  const publicKey = Object.hasOwn(keys, document.keyId) ? keys[document.keyId] : undefined;
  return (
    publicKey !== undefined &&
    verifyBytes(publicKey, signedBytes(domain, document.payload), document.signature)
  );
}
