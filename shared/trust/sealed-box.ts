import { createHash } from "node:crypto";
import nacl from "tweetnacl";
import { type Static, Type } from "typebox";
import { MusterError } from "../errors.ts";

/**
 * A message that only the holder of one X25519 key can open, and that tells nothing of who sealed it: a box of NaCl
 * (X25519, XSalsa20-Poly1305) from a key pair made for it alone, with a nonce that follows from both public keys.
 */
export const SealedBox = Type.Object(
  {
    /** Public key made for this box alone, hex. */
    ephemeral: Type.String({ pattern: "^[0-9a-f]{64}$" }),
    /** Base64. */
    box: Type.String({ minLength: 4, maxLength: 131_072, pattern: "^[A-Za-z0-9+/]+={0,2}$" }),
  },
  { additionalProperties: false },
);
export type SealedBox = Static<typeof SealedBox>;

const nonceOf = (ephemeral: Uint8Array, recipient: Uint8Array): Uint8Array =>
  new Uint8Array(
    createHash("sha512").update(ephemeral).update(recipient).digest().subarray(0, nacl.box.nonceLength),
  );

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"));

/**
 * Seals a message.
 * @param recipient X25519 public key, hex
 * @param seed 32 random bytes, used for this box alone
 */
export function sealTo(recipient: string, message: Uint8Array, seed: Uint8Array): SealedBox {
  const pair = nacl.box.keyPair.fromSecretKey(new Uint8Array(seed));
  const to = bytesOf(recipient);
  const box = nacl.box(new Uint8Array(message), nonceOf(pair.publicKey, to), to, pair.secretKey);
  pair.secretKey.fill(0);
  return { ephemeral: Buffer.from(pair.publicKey).toString("hex"), box: Buffer.from(box).toString("base64") };
}

/**
 * Opens a box with the secret key of its recipient, hex.
 * @throws MusterError `key.lease-invalid` for a box of somebody else, or a changed one
 */
export function openSealed(secretKey: string, { ephemeral, box }: SealedBox): Buffer {
  const secret = bytesOf(secretKey);
  const { publicKey } = nacl.box.keyPair.fromSecretKey(secret);
  const from = bytesOf(ephemeral);
  const message = nacl.box.open(
    new Uint8Array(Buffer.from(box, "base64")),
    nonceOf(from, publicKey),
    from,
    secret,
  );
  secret.fill(0);
  if (!message)
    throw new MusterError("key.lease-invalid", "It is sealed to another device, or it was changed.");
  return Buffer.from(message.buffer, message.byteOffset, message.byteLength);
}
