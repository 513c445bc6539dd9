import { type KeyObject, X509Certificate } from "node:crypto";
import { MusterError } from "@muster/shared/errors";
import { type CertificateFacts, certificateFacts } from "./certificate-facts.ts";
import { readElement } from "./der.ts";

/** What the certificates of an endorsement key are worth. `reason` is one sentence. */
export type Endorsement =
  | { readonly certified: true; readonly reason: string }
  | { readonly certified: false; readonly reason: string };

interface Certificate {
  readonly x509: X509Certificate;
  readonly facts: CertificateFacts;
}

/** Most certificates between a key and the authority that is believed. */
const MOST_STEPS = 6;
/** Signatures checked for one device: enough for any honest chain. */
const MOST_SIGNATURES = 32;
/** Most certificates taken from the TPM of one device. */
const MOST_CERTIFICATES = 16;
const SEQUENCE = 0x30;
const LEAST_RSA_BITS = 2048;
/** tcg-kp-EKCertificate (2.23.133.8.1), as DER content. */
const EK_PURPOSE = "6781050801";

/**
 * The certificates in what a TPM keeps at one index: it may hold several in a row, and be filled up behind them.
 * What cannot be read is left out: it proves nothing.
 */
export function certificatesIn(blobs: readonly Buffer[]): X509Certificate[] {
  const found: X509Certificate[] = [];
  for (const blob of blobs)
    for (let rest = blob; rest[0] === SEQUENCE && found.length < MOST_CERTIFICATES; ) {
      try {
        const { whole } = readElement(rest);
        rest = rest.subarray(whole.length);
        found.push(new X509Certificate(whole));
      } catch {
        break;
      }
    }
  return found;
}

/**
 * Looks for a chain from a certificate for the endorsement key to an authority that is believed. node:crypto compares
 * names and verifies signatures; validity, authority and path length are judged here (RFC 5280 section 6, TCG EK
 * credential profile 3.2).
 * @param given certificates from the device, in any order: of them only the signatures count
 * @param now milliseconds since the epoch
 * @throws MusterError `enrollment.ek-certificate-invalid` for one that names an authority that did not sign it
 */
export function endorsementOf(
  key: KeyObject,
  given: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
  now: number,
): Endorsement {
  const own = given.filter((certificate) => isFor(certificate, key));
  if (given.length === 0) return { certified: false, reason: "The TPM has no endorsement certificate." };
  if (own.length === 0)
    return { certified: false, reason: "No certificate of the TPM is for its endorsement key." };
  const search: Search = {
    between: given.filter((certificate) => !own.includes(certificate)).flatMap(readable),
    authorities: authorities.flatMap(readable),
    now,
    signatures: MOST_SIGNATURES,
    why: "",
  };
  for (const leaf of own.flatMap(readable)) {
    const fault = leafFault(leaf, now);
    if (fault) search.why ||= fault;
    const by = fault ? undefined : climb(search, leaf, []);
    if (by) return { certified: true, reason: `Its endorsement key is certified by ${nameOf(by.x509)}.` };
  }
  const issuer = nameLine(own[0]?.issuer ?? "");
  return { certified: false, reason: search.why || `No authority is known that leads to ${issuer}.` };
}

interface Search {
  readonly between: readonly Certificate[];
  readonly authorities: readonly Certificate[];
  readonly now: number;
  signatures: number;
  /** The first reason for which a chain did not hold. */
  why: string;
}

/** @returns the authority that is believed, undefined where no chain leads to one */
function climb(search: Search, from: Certificate, path: readonly Certificate[]): Certificate | undefined {
  const named = search.authorities.filter((authority) => from.x509.checkIssued(authority.x509));
  const signers = named.filter((authority) => isSigned(search, from, authority));
  // By name alone it may be a younger key of the same vendor; named by its key, nobody else can have signed it.
  const [first] = named;
  if (first && signers.length === 0 && from.facts.namesIssuerKey && from.facts.signature !== null)
    throw new MusterError(
      "enrollment.ek-certificate-invalid",
      `The certificate names ${nameOf(first.x509)}, whose key did not sign it.`,
    );
  for (const authority of signers) {
    const fault = anchorFault(authority, path.length, search.now);
    if (!fault) return authority;
    search.why ||= fault;
  }
  if (path.length === MOST_STEPS) return undefined;
  for (const next of search.between) {
    if (path.includes(next) || !from.x509.checkIssued(next.x509)) continue;
    if (search.signatures <= 0 || !isSigned(search, from, next)) continue;
    const fault = authorityFault(next, path.length, search.now);
    if (fault) search.why ||= fault;
    const found = fault ? undefined : climb(search, next, [...path, next]);
    if (found) return found;
  }
  return undefined;
}

function isSigned(search: Search, { x509, facts }: Certificate, by: Certificate): boolean {
  search.signatures -= 1;
  try {
    return facts.signature !== null && x509.verify(by.x509.publicKey);
  } catch {
    return false;
  }
}

function leafFault(leaf: Certificate, now: number): string | undefined {
  const { purposes, isAuthority } = leaf.facts;
  // Its subject tells nothing: many are empty, and some say "unknown".
  const who = "The certificate of the endorsement key";
  if (isAuthority) return `${who} is one of an authority.`;
  if (purposes && !purposes.includes(EK_PURPOSE)) return `${who} is for another purpose.`;
  return unsignable(leaf, who) ?? commonFault(leaf, who, now);
}

/** @param below authorities between it and the endorsement key */
function authorityFault(authority: Certificate, below: number, now: number): string | undefined {
  return unsignable(authority, nameOf(authority.x509)) ?? anchorFault(authority, below, now);
}

/** An authority that operators believe: by whom and how it was signed does not count. */
function anchorFault({ x509, facts }: Certificate, below: number, now: number): string | undefined {
  const name = nameOf(x509);
  if (!facts.isAuthority || facts.keyCertSign === false) return `${name} is no authority.`;
  if (facts.pathLength !== undefined && facts.pathLength < below)
    return `${name} allows fewer authorities below it than there are.`;
  return weaknessOf(x509) ?? commonFault({ x509, facts }, name, now);
}

const unsignable = ({ facts }: Certificate, who: string): string | undefined =>
  facts.signature === null ? `${who} is signed in a way that can be forged, or is not known.` : undefined;

function commonFault({ x509, facts }: Certificate, who: string, now: number): string | undefined {
  if (facts.unknownCritical.length > 0) return `${who} has a critical extension that is not understood.`;
  if (Date.parse(x509.validFrom) > now) return `${who} is not valid yet.`;
  // TCG EK credential profile 3.2.12: 9999-12-31 stands for no end.
  if (Date.parse(x509.validTo) < now) return `${who} ended on ${x509.validTo}.`;
  return undefined;
}

function weaknessOf(x509: X509Certificate): string | undefined {
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = x509.publicKey;
    if (asymmetricKeyType === "ec") return undefined;
    if (asymmetricKeyType?.startsWith("rsa") && (asymmetricKeyDetails?.modulusLength ?? 0) >= LEAST_RSA_BITS)
      return undefined;
  } catch {
    // A key that node:crypto does not know: the sentence below says it.
  }
  return `The key of ${nameOf(x509)} is too weak or not known.`;
}

function isFor(certificate: X509Certificate, key: KeyObject): boolean {
  try {
    return certificate.publicKey.equals(key);
  } catch {
    return false;
  }
}

function readable(x509: X509Certificate): Certificate[] {
  try {
    return [{ x509, facts: certificateFacts(x509) }];
  } catch {
    return [];
  }
}

const nameLine = (name: string | undefined): string =>
  name?.split("\n").join(", ").slice(0, 200) || "an unnamed authority";

/** Subject in one line; a TPM's own certificate often has none. */
export const nameOf = ({ subject }: X509Certificate): string =>
  subject ? nameLine(subject) : "the certificate of the TPM";
