import type { KeyObject } from "node:crypto";

/** PCR banks that Muster reads; only SHA-256 and better are judged by. */
export type PcrBank = "sha1" | "sha256" | "sha384" | "sha512";

/** PCRs of one bank that something is bound to. */
export interface PcrChoice {
  readonly bank: PcrBank;
  readonly indices: readonly number[];
}

/** The endorsement key: who the TPM is. */
export interface Endorsement {
  /** TPM2B_PUBLIC. */
  readonly public: Buffer;
  /** Name (TPM 2.0 part 1, 16): algorithm and digest. */
  readonly name: Buffer;
  /** Its certificate and then the intermediate ones that the TPM keeps, DER; empty where it has none. */
  readonly certificates: readonly Buffer[];
}

/** The attestation key: restricted, so it signs nothing but what its TPM says. */
export interface AttestationKey {
  /** TPM2B_PUBLIC. */
  readonly public: Buffer;
  readonly name: Buffer;
  readonly key: KeyObject;
}

/** TPMS_CLOCK_INFO: `clock` in milliseconds of the TPM's own running time. */
export interface TpmClock {
  readonly clock: bigint;
  readonly resetCount: number;
  readonly restartCount: number;
  readonly safe: boolean;
}

export interface TpmQuote {
  /** TPMS_ATTEST as signed. */
  readonly quote: Buffer;
  /** TPMT_SIGNATURE. */
  readonly signature: Buffer;
  /** Values that the quote is about, by index. */
  readonly pcrs: ReadonlyMap<number, Buffer>;
  readonly clock: TpmClock;
}

/** A counter in the TPM that only ever grows, whatever happens to the disk. */
export interface TpmCounter {
  read(): Promise<bigint>;
  /** Wears the memory of the TPM out: meant for changes, some times an hour and not a second. @returns the new value */
  increment(): Promise<bigint>;
}

/**
 * A TPM 2.0. One command at a time runs, in the order of the calls; every call leaves nothing behind in the TPM but
 * what it is meant to. All of them throw MusterError of the family `tpm.`.
 */
export interface Tpm {
  /** Where it was found, in words. */
  readonly where: string;
  /** The endorsement key that has a certificate, ECC P-256 before RSA 2048; ECC P-256 where none has one. */
  endorsement(): Promise<Endorsement>;
  /** The same for the life of the TPM: ECC P-256 where it can, RSA 2048 else. */
  attestationKey(): Promise<AttestationKey>;
  /**
   * Proves that endorsement and attestation key sit in one TPM (TPM 2.0 part 1, 24).
   * @param credentialBlob TPM2B_ID_OBJECT
   * @param encryptedSecret TPM2B_ENCRYPTED_SECRET
   * @returns the secret
   * @throws MusterError `tpm.credential-refused` where it was made for other keys
   */
  activateCredential(credentialBlob: Uint8Array, encryptedSecret: Uint8Array): Promise<Buffer>;
  /** @throws MusterError `tpm.unsupported` where the TPM has not this bank */
  readPcrs(bank: PcrBank, indices: readonly number[]): Promise<Map<number, Buffer>>;
  /** Banks that are in use. */
  pcrBanks(): Promise<PcrBank[]>;
  /**
   * Extends a PCR by a SHA-256 digest. The bank of SHA-384 and that of SHA-512, where in use, are extended by the same
   * bytes with zeros behind them; that of SHA-1 is left alone.
   */
  extend(pcr: number, digest: Uint8Array): Promise<void>;
  /**
   * @param qualifyingData at most 64 bytes, signed with it
   * @throws MusterError `tpm.busy` where the PCRs change faster than they can be read
   */
  quote(bank: PcrBank, indices: readonly number[], qualifyingData: Uint8Array): Promise<TpmQuote>;
  /** The attestation key says that the key at this persistent handle sits in the same TPM; its password is empty. */
  certify(handle: number, qualifyingData: Uint8Array): Promise<{ attest: Buffer; signature: Buffer }>;
  /**
   * Bytes that this TPM alone opens again, and only while the PCRs are what they are now; `null` binds to no PCR.
   * @param data at most 64 KiB
   */
  seal(data: Uint8Array, pcrs: PcrChoice | null): Promise<Buffer>;
  /**
   * @throws MusterError `tpm.policy-failed` where the PCRs differ, `tpm.seal-foreign` where another TPM sealed it,
   *   `tpm.seal-broken` where it is damaged
   */
  unseal(blob: Uint8Array): Promise<Buffer>;
  /** The counter of this box; defined in the TPM at its first use. */
  counter(): TpmCounter;
  close(): Promise<void>;
}
