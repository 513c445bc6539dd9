import { createHash } from "node:crypto";
import { MusterError } from "../errors.ts";
import { TPM_ALG } from "./constants.ts";

/** Hashes of a TPM by the names of node:crypto; a PCR bank has the name of its hash. */
export type HashName = "sha1" | "sha256" | "sha384" | "sha512";

const IDS: Readonly<Record<HashName, number>> = {
  sha1: TPM_ALG.SHA1,
  sha256: TPM_ALG.SHA256,
  sha384: TPM_ALG.SHA384,
  sha512: TPM_ALG.SHA512,
};

const NAMES = new Map<number, HashName>(Object.entries(IDS).map(([name, id]) => [id, name as HashName]));

/** Bytes of a digest. */
export const HASH_SIZE: Readonly<Record<HashName, number>> = { sha1: 20, sha256: 32, sha384: 48, sha512: 64 };

export const hashId = (name: HashName): number => IDS[name];

/** Name of an algorithm id; undefined for what is no hash, or one that Muster does not know. */
export const hashNameOf = (id: number): HashName | undefined => NAMES.get(id);

/** @throws MusterError `tpm.malformed` for what is no hash that is known here */
export function hashNameFrom(id: number): HashName {
  const name = hashNameOf(id);
  if (!name)
    throw new MusterError(
      "tpm.malformed",
      `0x${id.toString(16).padStart(4, "0")} is no known hash algorithm.`,
    );
  return name;
}

export function digestOf(hash: HashName, ...parts: readonly Uint8Array[]): Buffer {
  const digest = createHash(hash);
  for (const part of parts) digest.update(part);
  return digest.digest();
}
