import { createCipheriv, createHmac } from "node:crypto";
import { MusterError } from "../errors.ts";
import { HASH_SIZE } from "./hash.ts";
import { kdfa } from "./kdf.ts";
import { checkEndorsementKey } from "./key-fitness.ts";
import type { PublicArea } from "./public-area.ts";
import { sharedSeed } from "./seed.ts";
import { TpmWriter } from "./wire.ts";

/** What only the TPM with the EK can open, and only while it holds the key that the name stands for. */
export interface Credential {
  /** TPM2B_ID_OBJECT. */
  readonly credentialBlob: Buffer;
  /** TPM2B_ENCRYPTED_SECRET. */
  readonly encryptedSecret: Buffer;
}

const MOST_SECRET_BYTES = 32;
const LABEL = "IDENTITY";
const NOTHING = Buffer.alloc(0);

/**
 * MakeCredential (part 1, 24; part 3, 12.6) without a TPM.
 * @param akName name of the key that the secret is for
 * @param secret at most 32 bytes
 * @param random as many random bytes as asked for
 * @throws MusterError `tpm.key-unfit` for a key that is no endorsement key, `tpm.malformed`
 */
export function makeCredential(
  ek: PublicArea,
  akName: Uint8Array,
  secret: Uint8Array,
  random: (bytes: number) => Uint8Array,
): Credential {
  checkEndorsementKey(ek);
  if (secret.length === 0 || secret.length > MOST_SECRET_BYTES)
    throw new MusterError(
      "tpm.malformed",
      `A credential holds 1 to ${MOST_SECRET_BYTES} bytes, not ${secret.length}.`,
    );
  const { seed, encrypted } = sharedSeed(ek, LABEL, random);
  const { bits } = ek.symmetric!;
  const key = kdfa(ek.nameAlg, seed, "STORAGE", akName, NOTHING, bits);
  const cipher = createCipheriv(`aes-${bits}-cfb`, key, Buffer.alloc(16));
  const identity = Buffer.concat([cipher.update(new TpmWriter().sized(secret).build()), cipher.final()]);
  const macKey = kdfa(ek.nameAlg, seed, "INTEGRITY", NOTHING, NOTHING, HASH_SIZE[ek.nameAlg] * 8);
  const mac = createHmac(ek.nameAlg, macKey).update(identity).update(akName).digest();
  return {
    credentialBlob: new TpmWriter().sized(new TpmWriter().sized(mac).bytes(identity).build()).build(),
    encryptedSecret: new TpmWriter().sized(encrypted).build(),
  };
}
