import type { TLSSocket } from "node:tls";

/** Common name of the certificate that the other side showed, undefined when there is none or several. */
export function commonNameOf(socket: TLSSocket): string | undefined {
  const name: unknown = socket.getPeerCertificate()?.subject?.CN;
  return typeof name === "string" ? name : undefined;
}
