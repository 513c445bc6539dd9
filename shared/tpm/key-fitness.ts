import { MusterError } from "../errors.ts";
import { TPMA_OBJECT } from "./constants.ts";
import type { PublicArea } from "./public-area.ts";

const LEAST_RSA_BITS = 2048;
const DEFAULT_EXPONENT = 65_537;

const { FIXED_TPM, FIXED_PARENT, SENSITIVE_DATA_ORIGIN, RESTRICTED, SIGN_ENCRYPT, DECRYPT } = TPMA_OBJECT;
const BORN_IN_THE_TPM = [
  [FIXED_TPM, "fixedTPM"],
  [FIXED_PARENT, "fixedParent"],
  [SENSITIVE_DATA_ORIGIN, "sensitiveDataOrigin"],
  [RESTRICTED, "restricted"],
] as const;

function check(kind: string, area: PublicArea, use: "sign" | "decrypt"): void {
  const unfit = (why: string): MusterError => new MusterError("tpm.key-unfit", `The ${kind} ${why}.`);
  for (const [bit, name] of BORN_IN_THE_TPM) if ((area.attributes & bit) === 0) throw unfit(`is not ${name}`);
  const signs = (area.attributes & SIGN_ENCRYPT) !== 0;
  const decrypts = (area.attributes & DECRYPT) !== 0;
  if (signs !== (use === "sign")) throw unfit(signs ? "may sign" : "may not sign");
  if (decrypts !== (use === "decrypt")) throw unfit(decrypts ? "may decrypt" : "may not decrypt");
  if (area.nameAlg === "sha1") throw unfit("is named by SHA-1");
  if (area.type === "rsa") {
    if (area.bits < LEAST_RSA_BITS) throw unfit(`has only ${area.bits} bits`);
    if (area.exponent !== 0 && area.exponent !== DEFAULT_EXPONENT) throw unfit("has an unusual exponent");
    if (area.modulus.length === 0) throw unfit("is a template without a key");
  } else if (area.x.length === 0 || area.y.length === 0) throw unfit("is a template without a key");
}

/**
 * Takes only a key that never leaves its TPM and signs nothing but what the TPM itself made, with SHA-256 or better.
 * @throws MusterError `tpm.key-unfit`
 */
export function checkAttestationKey(area: PublicArea): void {
  check("attestation key", area, "sign");
  if (!area.scheme)
    throw new MusterError("tpm.key-unfit", "The attestation key has no signing scheme of its own.");
  if (area.scheme.hash === "sha1")
    throw new MusterError("tpm.key-unfit", "The attestation key signs with SHA-1.");
  if (area.symmetric)
    throw new MusterError("tpm.key-unfit", "The attestation key has a cipher, as storage keys do.");
}

/**
 * Takes only a restricted storage key (TCG EK credential profile, templates L-1, L-2 and H-1 to H-7).
 * @throws MusterError `tpm.key-unfit`
 */
export function checkEndorsementKey(area: PublicArea): void {
  check("endorsement key", area, "decrypt");
  if (!area.symmetric)
    throw new MusterError("tpm.key-unfit", "The endorsement key has no cipher for what it protects.");
  if (area.scheme) throw new MusterError("tpm.key-unfit", "The endorsement key has a signing scheme.");
}
