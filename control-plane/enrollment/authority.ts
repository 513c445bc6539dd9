import { createHash, createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { MusterError } from "@muster/shared/errors";
import { caPinOf } from "@muster/shared/trust/join-token";
import { writeDurably } from "../storage/durable-files.ts";
import { type IssuedCertificate, type Issuer, issueCertificate } from "./certificates.ts";
import { generateKey } from "./rsa-key.ts";

const DAY_MS = 86_400_000;
const CA_DAYS = 7_300;
/** Clocks of boxes without a battery lag; a certificate that is valid from this moment on would be refused. */
const BACKDATE_MS = 3_600_000;

/** The fleet's certificate authority. Its key stays in the data directory with mode 0600. */
export class Authority {
  /** The CA certificate, PEM. */
  readonly certificate: string;
  /** SHA-256 of the CA certificate in DER, base64url: what a join token pins. */
  readonly pin: string;
  readonly #issuer: Issuer;

  private constructor(certificate: string, privateKey: KeyObject) {
    const x509 = new X509Certificate(certificate);
    this.certificate = x509.toString();
    this.pin = caPinOf(x509.raw);
    this.#issuer = {
      commonName: x509.subject.replace(/^CN=/, ""),
      privateKey,
      publicKey: x509.publicKey,
    };
    if (!x509.checkPrivateKey(privateKey))
      throw new MusterError(
        "storage.broken",
        "ca.key does not belong to ca.crt: restore both from a backup.",
      );
  }

  /**
   * Reads the CA of the directory, or makes one where there is none.
   * @throws MusterError `storage.broken` when only one half is there or they do not fit
   */
  static async open(directory: string, now: number): Promise<Authority> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const files = { certificate: join(directory, "ca.crt"), key: join(directory, "ca.key") };
    const certificate = await readIfThere(files.certificate);
    const key = await readIfThere(files.key);
    if (certificate !== undefined && key !== undefined) return Authority.#from(certificate, key);
    if (certificate !== undefined)
      throw new MusterError("storage.broken", `${files.key} is missing: restore it from a backup.`);
    // A key without a certificate is a first start that was cut off: nothing was issued by it yet.
    const made = await makeAuthority(now);
    await writeDurably(files.key, made.key, 0o600);
    await writeDurably(files.certificate, made.certificate, 0o644);
    return Authority.#from(made.certificate, made.key);
  }

  static #from(certificate: string, key: string): Authority {
    try {
      return new Authority(certificate, createPrivateKey(key));
    } catch (cause) {
      if (cause instanceof MusterError) throw cause;
      throw new MusterError("storage.broken", "The CA of the data directory cannot be read.", { cause });
    }
  }

  issueDevice(device: string, publicKey: KeyObject, days: number, now: number): IssuedCertificate {
    return this.#issue(device, publicKey, { kind: "device" }, days, now);
  }

  issueServer(hosts: readonly string[], publicKey: KeyObject, days: number, now: number): IssuedCertificate {
    return this.#issue("muster control plane", publicKey, { kind: "server", hosts }, days, now);
  }

  #issue(
    commonName: string,
    publicKey: KeyObject,
    use: { kind: "device" } | { kind: "server"; hosts: readonly string[] },
    days: number,
    now: number,
  ): IssuedCertificate {
    const validity = { notBefore: now - BACKDATE_MS, notAfter: now + days * DAY_MS };
    return issueCertificate({ commonName, publicKey, use, ...validity }, this.#issuer);
  }
}

async function makeAuthority(now: number): Promise<{ certificate: string; key: string }> {
  const key = await generateKey(3072);
  const privateKey = createPrivateKey(key);
  const publicKey = createPublicKey(privateKey);
  const commonName = `muster fleet ${createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("hex")
    .slice(0, 12)}`;
  const issued = issueCertificate(
    {
      commonName,
      publicKey,
      notBefore: now - BACKDATE_MS,
      notAfter: now + CA_DAYS * DAY_MS,
      use: { kind: "ca" },
    },
    { commonName, privateKey, publicKey },
  );
  return { certificate: issued.pem, key };
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new MusterError("storage.broken", `${file} cannot be read.`, { cause: error });
  }
}
