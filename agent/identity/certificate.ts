import { createPrivateKey, X509Certificate } from "node:crypto";
import { MusterError } from "@muster/shared/errors";

/** @throws MusterError `certificate.invalid` */
export function parseCertificate(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new MusterError("certificate.invalid", "The text is not a certificate in PEM.", { cause });
  }
}

/**
 * Checks that a certificate is for this device and key and was issued by the CA; node:crypto verifies.
 * @throws MusterError `certificate.invalid`
 */
export function checkCertificate(
  pem: string,
  caPem: string,
  device: string,
  tlsKey: string,
): X509Certificate {
  const certificate = parseCertificate(pem);
  const ca = parseCertificate(caPem);
  const refuse = (why: string) =>
    new MusterError("certificate.invalid", `The certificate that the server issued ${why}.`);
  if (!certificate.checkPrivateKey(createPrivateKey(tlsKey))) throw refuse("is for another key");
  if (!certificate.subject.split("\n").includes(`CN=${device}`)) throw refuse(`does not name ${device}`);
  if (!certificate.checkIssued(ca) || !certificate.verify(ca.publicKey))
    throw refuse("is not by the pinned CA");
  return certificate;
}

/** Time from which a certificate is renewed: two thirds of its life, milliseconds since the epoch. */
export function renewAt(certificate: Pick<X509Certificate, "validFrom" | "validTo">): number {
  const from = Date.parse(certificate.validFrom);
  return from + ((Date.parse(certificate.validTo) - from) * 2) / 3;
}
