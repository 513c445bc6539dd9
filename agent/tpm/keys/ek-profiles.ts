import type { PublicArea } from "@muster/shared/tpm/public-area";
import { EK_ECC_P256, EK_HIGH, EK_RSA_2048 } from "./templates.ts";

/** Where a maker puts the certificate of one kind of endorsement key (EK credential profile, 2.2.1.4 and 2.2.1.5). */
export interface EkProfile {
  readonly certificate: number;
  /** Filled into the template of the low range; the high range has none. */
  readonly nonce: number | null;
  /** A template of the maker's own. */
  readonly template: number;
  readonly standard: PublicArea;
}

/** Best first: ECC is many times as quick, and P-256 the curve that verifiers know. */
export const EK_PROFILES: readonly EkProfile[] = [
  { certificate: 0x01c0000a, nonce: 0x01c0000b, template: 0x01c0000c, standard: EK_ECC_P256 },
  { certificate: 0x01c00014, nonce: null, template: 0x01c00015, standard: EK_HIGH.p256 },
  { certificate: 0x01c00002, nonce: 0x01c00003, template: 0x01c00004, standard: EK_RSA_2048 },
  { certificate: 0x01c00012, nonce: null, template: 0x01c00013, standard: EK_HIGH.rsa2048 },
  { certificate: 0x01c00016, nonce: null, template: 0x01c00017, standard: EK_HIGH.p384 },
  { certificate: 0x01c00018, nonce: null, template: 0x01c00019, standard: EK_HIGH.p521 },
  { certificate: 0x01c0001c, nonce: null, template: 0x01c0001d, standard: EK_HIGH.rsa3072 },
  { certificate: 0x01c0001e, nonce: null, template: 0x01c0001f, standard: EK_HIGH.rsa4096 },
];

/** Intermediate certificates, one behind the other, over as many indices as they take (2.2.1.5.2). */
export const EK_CHAIN = { first: 0x01c00100, last: 0x01c001ff } as const;

/** Where endorsement keys are kept (registry of reserved TPM 2.0 handles). */
export const EK_HANDLES = { first: 0x81010000, last: 0x8101ffff } as const;

/**
 * A template with the nonce of its maker, which stands before the zeros of what the key will be; as it is where it has
 * no such zeros.
 * @param template TPMT_PUBLIC
 */
export function withNonce(template: Buffer, nonce: Buffer, { standard }: EkProfile): Buffer {
  const size = standard.type === "rsa" ? standard.modulus.length : standard.x.length;
  // The end of an RSA template is its modulus, that of an ECC template both coordinates with their sizes.
  const at = template.length - (standard.type === "rsa" ? size : 2 * size + 2);
  if (at < 2 || template.readUInt16BE(at - 2) !== size || nonce.length > size) return template;
  const filled = Buffer.from(template);
  nonce.copy(filled, at);
  return filled;
}
