import { createHash, type KeyObject, randomBytes, sign, X509Certificate } from "node:crypto";
import { bits, der, integer, nothing, octets, oid, sequence, time, yes } from "./der-writer.ts";

/** A certificate as a test wants it, right or wrong. Times in milliseconds since the epoch. */
export interface Made {
  /** Common name; empty for no subject. */
  subject: string;
  issuer: string;
  /** What it is for. */
  publicKey: KeyObject;
  /** Who signs it, whatever `issuer` says. */
  signer: KeyObject;
  /** The key that it says it was signed by; the signer's unless told, null leaves it out. */
  issuerKey?: KeyObject | null;
  notBefore?: number;
  notAfter?: number;
  /** Path length, or true for none; absent for no authority. */
  authority?: number | true;
  /** First byte of KeyUsage; absent for no such extension. */
  usage?: number;
  purpose?: string;
  /** OID and whether it is critical. */
  extra?: readonly [string, boolean][];
  hash?: "sha1" | "sha256" | "sha384";
}

export const EK_PURPOSE = "6781050801";
/** KeyUsage: keyCertSign and cRLSign; keyEncipherment. */
export const SIGNS = 0x06;
export const ENCIPHERS = 0x20;
const DAY_MS = 86_400_000;

const SIGNATURE_OIDS: Readonly<Record<string, string>> = {
  "rsa sha1": "2a864886f70d010105",
  "rsa sha256": "2a864886f70d01010b",
  "rsa sha384": "2a864886f70d01010c",
  "ec sha1": "2a8648ce3d0401",
  "ec sha256": "2a8648ce3d040302",
  "ec sha384": "2a8648ce3d040303",
};

const nameOf = (commonName: string): Buffer =>
  commonName === ""
    ? sequence()
    : sequence(der(0x31, sequence(oid("550403"), der(0x0c, Buffer.from(commonName)))));

const keyIdOf = (key: KeyObject): Buffer =>
  createHash("sha1")
    .update(key.export({ type: "spki", format: "der" }))
    .digest();

const extension = (id: string, critical: boolean, value: Uint8Array): Buffer =>
  sequence(oid(id), ...(critical ? [yes] : []), octets(value));

function extensionsOf(made: Made): Buffer {
  const { authority, usage, purpose, extra = [], publicKey, issuerKey } = made;
  const list: Buffer[] = [extension("551d0e", false, octets(keyIdOf(publicKey)))];
  if (issuerKey) list.push(extension("551d23", false, sequence(der(0x80, keyIdOf(issuerKey)))));
  if (authority !== undefined)
    list.push(extension("551d13", true, sequence(yes, ...(authority === true ? [] : [integer(authority)]))));
  if (usage !== undefined) list.push(extension("551d0f", true, der(0x03, Buffer.from([0, usage]))));
  if (purpose !== undefined) list.push(extension("551d25", false, sequence(oid(purpose))));
  // A TPM's model and maker, where the subject is empty critical (TCG EK credential profile 3.2.9).
  if (authority === undefined)
    list.push(extension("551d11", made.subject === "", sequence(der(0x82, Buffer.from("tpm.example")))));
  for (const [id, critical] of extra) list.push(extension(id, critical, nothing));
  return der(0xa3, sequence(...list));
}

/** @param issuerPublic of the one that is named as issuer */
export function makeCertificate(made: Made): X509Certificate {
  const { hash = "sha256", signer, notBefore = Date.now() - DAY_MS, notAfter = Date.now() + DAY_MS } = made;
  const kind = signer.asymmetricKeyType === "rsa" ? "rsa" : "ec";
  const algorithm = sequence(
    oid(SIGNATURE_OIDS[`${kind} ${hash}`] ?? ""),
    ...(kind === "rsa" ? [nothing] : []),
  );
  const tbs = sequence(
    der(0xa0, integer(2)),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    algorithm,
    nameOf(made.issuer),
    sequence(time(notBefore), time(notAfter)),
    nameOf(made.subject),
    made.publicKey.export({ type: "spki", format: "der" }),
    extensionsOf(made),
  );
  return new X509Certificate(sequence(tbs, algorithm, bits(sign(hash, tbs, signer))));
}
