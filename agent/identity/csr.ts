import { constants, createPublicKey, privateEncrypt } from "node:crypto";

/** DigestInfo before a SHA-256 digest (RFC 8017 section 9.2, note 1). */
const SHA256_INFO = Buffer.from("3031300d060960864801650304020105000420", "hex");

/**
 * PKCS#10 request (RFC 2986), PEM, for the device's TLS key with the device id as common name. node-forge only
 * builds the structure, and is loaded when it is needed; the private key stays with node:crypto.
 */
export async function buildCsr(device: string, tlsKey: string): Promise<string> {
  const { default: forge } = await import("node-forge");
  const csr = forge.pki.createCertificationRequest();
  csr.publicKey = forge.pki.publicKeyFromPem(
    createPublicKey(tlsKey).export({ type: "spki", format: "pem" }).toString(),
  );
  csr.setSubject([{ name: "commonName", value: device }]);
  const signer = {
    sign: (digest: { digest(): { getBytes(): string } }): string =>
      privateEncrypt(
        { key: tlsKey, padding: constants.RSA_PKCS1_PADDING },
        Buffer.concat([SHA256_INFO, Buffer.from(digest.digest().getBytes(), "latin1")]),
      ).toString("latin1"),
  };
  csr.sign(signer as never, forge.md.sha256.create());
  return forge.pki.certificationRequestToPem(csr);
}
