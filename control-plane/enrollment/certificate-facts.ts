import type { X509Certificate } from "node:crypto";
import { MusterError } from "@muster/shared/errors";
import { type DerElement, partsOf, readElement } from "./der.ts";

/** What node:crypto does not tell of a certificate (RFC 5280 section 4). */
export interface CertificateFacts {
  /** Algorithm of its signature; null for one that is too weak to be believed. */
  readonly signature: string | null;
  /** It says which key of its issuer signed it, not only whose. */
  readonly namesIssuerKey: boolean;
  readonly isAuthority: boolean;
  /** Most authorities between it and the last certificate; undefined for no limit. */
  readonly pathLength: number | undefined;
  /** Undefined where it says nothing of its use. */
  readonly keyCertSign: boolean | undefined;
  /** Purposes (OIDs in hex); undefined where it names none. */
  readonly purposes: readonly string[] | undefined;
  /** Critical extensions that nothing here understands (OIDs in hex): such a certificate must not be believed. */
  readonly unknownCritical: readonly string[];
}

const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  oid: 0x06,
  extensions: 0xa3,
  hash: 0xa0,
};

/** OIDs as DER content, hex. SHA-1 and MD5 are missing: whoever can make two inputs alike can forge by them. */
const SIGNATURES: Readonly<Record<string, string>> = {
  "2a864886f70d01010b": "RSA with SHA-256",
  "2a864886f70d01010c": "RSA with SHA-384",
  "2a864886f70d01010d": "RSA with SHA-512",
  "2a8648ce3d040302": "ECDSA with SHA-256",
  "2a8648ce3d040303": "ECDSA with SHA-384",
  "2a8648ce3d040304": "ECDSA with SHA-512",
};
const RSA_PSS = "2a864886f70d01010a";
const STRONG_HASHES = ["608648016503040201", "608648016503040202", "608648016503040203"];

const BASIC_CONSTRAINTS = "551d13";
const KEY_USAGE = "551d0f";
const EXTENDED_KEY_USAGE = "551d25";
const AUTHORITY_KEY = "551d23";
/**
 * Understood besides these: subjectAltName (it names model and maker of a TPM and is critical where the subject is
 * empty), key identifiers, policies, revocation lists, authority information, subject directory attributes.
 */
const HARMLESS = new Set([
  "551d11",
  AUTHORITY_KEY,
  "551d0e",
  "551d20",
  "551d1f",
  "2b06010505070101",
  "551d09",
]);
/** Bit 5 of KeyUsage, counted from the left. */
const KEY_CERT_SIGN = 0x04;

const hex = ({ content }: DerElement): string => content.toString("hex");

/** @throws MusterError `certificate.invalid` for one that cannot be read */
export function certificateFacts(certificate: X509Certificate): CertificateFacts {
  const [tbs, algorithm] = partsOf(readElement(certificate.raw));
  if (!tbs || !algorithm) throw new MusterError("certificate.invalid", "The certificate lacks a part.");
  const parts = partsOf(tbs);
  const wrapper = parts.find(({ tag }) => tag === TAG.extensions);
  const list = wrapper ? partsOf(readElement(wrapper.content)) : [];
  const extensions = new Map<string, { critical: boolean; value: Buffer }>();
  for (const extension of list) {
    const [oid, ...rest] = partsOf(extension);
    const value = rest.at(-1);
    if (!oid || oid.tag !== TAG.oid || value?.tag !== TAG.octets || extensions.has(hex(oid)))
      throw new MusterError("certificate.invalid", "An extension of the certificate cannot be read.");
    const flag = rest.length === 2 && rest[0]?.tag === TAG.boolean ? rest[0].content[0] : 0;
    extensions.set(hex(oid), { critical: flag !== 0, value: value.content });
  }
  const understood = (oid: string) =>
    [BASIC_CONSTRAINTS, KEY_USAGE, EXTENDED_KEY_USAGE].includes(oid) || HARMLESS.has(oid);
  const usage = extensions.get(KEY_USAGE);
  const purposes = extensions.get(EXTENDED_KEY_USAGE);
  return {
    signature: signatureOf(algorithm),
    namesIssuerKey: extensions.has(AUTHORITY_KEY),
    ...constraintsOf(extensions.get(BASIC_CONSTRAINTS)?.value),
    keyCertSign: usage && ((readElement(usage.value).content[1] ?? 0) & KEY_CERT_SIGN) !== 0,
    purposes: purposes && partsOf(readElement(purposes.value)).map(hex),
    unknownCritical: [...extensions].flatMap(([oid, { critical }]) =>
      critical && !understood(oid) ? [oid] : [],
    ),
  };
}

function signatureOf(algorithm: DerElement): string | null {
  const [oid, parameters] = partsOf(algorithm);
  if (!oid) return null;
  if (hex(oid) !== RSA_PSS) return SIGNATURES[hex(oid)] ?? null;
  // Without a hash in the parameters it is SHA-1 (RFC 4055 section 3.1).
  const wrapped = parameters && partsOf(parameters).find(({ tag }) => tag === TAG.hash);
  const [hash] = wrapped ? partsOf(readElement(wrapped.content)) : [];
  return hash && STRONG_HASHES.includes(hex(hash)) ? "RSA-PSS" : null;
}

function constraintsOf(value: Buffer | undefined): Pick<CertificateFacts, "isAuthority" | "pathLength"> {
  const parts = value ? partsOf(readElement(value)) : [];
  const isAuthority = parts[0]?.tag === TAG.boolean && parts[0].content[0] !== 0;
  const limit = parts.find(({ tag }) => tag === TAG.integer);
  // One that is too long to be read is no limit that could ever be reached.
  const pathLength =
    limit && limit.content.length <= 2 ? limit.content.readUIntBE(0, limit.content.length) : undefined;
  return { isAuthority, pathLength };
}
