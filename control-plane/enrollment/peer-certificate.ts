import type { TLSSocket } from "node:tls";

export interface PeerCertificate {
  commonName: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

/** The certificate that the other side showed; undefined when there is none or it has several common names. */
export function peerCertificateOf(socket: TLSSocket): PeerCertificate | undefined {
  const certificate = socket.getPeerCertificate();
  const commonName: unknown = certificate?.subject?.CN;
  if (typeof commonName !== "string") return undefined;
  return { commonName, expiresAt: Date.parse(certificate.valid_to) };
}
