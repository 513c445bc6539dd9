import type { X509Certificate } from "node:crypto";
import type { TpmIdentity } from "@muster/shared/protocol/device-api";
import {
  checkAttestationKey,
  checkEndorsementKey,
  nameOf,
  type PublicArea,
  parsePublic,
  toKeyObject,
} from "@muster/shared/tpm/public-area";
import type { Assurance } from "../attestation/verdict.ts";
import { certificatesIn, endorsementOf } from "./ek-chain.ts";

/** What a device says of its TPM, looked at; proven only once it has activated a credential. */
export interface TpmClaim {
  readonly ek: PublicArea;
  /** Names (TPM 2.0 part 1, 16), hex. */
  readonly ekName: string;
  readonly akName: string;
  /** TPM2B_PUBLIC, base64. */
  readonly akPublic: string;
  readonly assurance: Assurance;
  /** By whose word, or why it is no surer; one sentence. */
  readonly reason: string;
}

const bytes = (text: string): Buffer => Buffer.from(text, "base64");

/**
 * Takes apart what a device says of its TPM.
 * @param authorities of vendors, those that are believed
 * @param now milliseconds since the epoch
 * @throws MusterError `tpm.malformed`, `tpm.key-unfit`, `enrollment.ek-certificate-invalid`
 */
export function tpmClaimOf(
  { ekPublic, ekCertificates, akPublic }: TpmIdentity,
  authorities: readonly X509Certificate[],
  now: number,
): TpmClaim {
  const ek = parsePublic(bytes(ekPublic));
  const ak = parsePublic(bytes(akPublic));
  checkEndorsementKey(ek);
  checkAttestationKey(ak);
  // A point that is off its curve is found out here, before anything is encrypted to it.
  toKeyObject(ak);
  const given = certificatesIn(ekCertificates.map(bytes));
  const { certified, reason } = endorsementOf(toKeyObject(ek), given, authorities, now);
  return {
    ek,
    ekName: nameOf(ek).toString("hex"),
    akName: nameOf(ak).toString("hex"),
    akPublic,
    assurance: certified ? "tpm-certified" : "tpm-pinned",
    reason,
  };
}
