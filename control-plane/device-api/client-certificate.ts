import type { TLSSocket } from "node:tls";
import { MusterError } from "@muster/shared/errors";
import { type PeerCertificate, peerCertificateOf } from "../enrollment/peer-certificate.ts";
import type { DeviceStatus } from "../fleet/types.ts";

/** Tells which device speaks over a connection, and cuts the connections of a device that is put out. */
export class ClientCertificates {
  readonly #statusOf: (device: string) => DeviceStatus | undefined;
  readonly #now: () => number;
  readonly #peers = new WeakMap<TLSSocket, PeerCertificate>();
  readonly #sockets = new Map<string, Set<TLSSocket>>();

  constructor(statusOf: (device: string) => DeviceStatus | undefined, now: () => number) {
    this.#statusOf = statusOf;
    this.#now = now;
  }

  /** @throws MusterError `certificate.invalid`, `certificate.expired` or `certificate.revoked` */
  deviceOf(socket: TLSSocket): string {
    const peer = this.#peers.get(socket) ?? this.#identify(socket);
    // A connection may outlive the certificate that it was opened with.
    if (peer.expiresAt <= this.#now()) throw new MusterError("certificate.expired");
    const status = this.#statusOf(peer.commonName);
    if (status === "revoked") throw new MusterError("certificate.revoked");
    if (status === undefined)
      throw new MusterError("certificate.invalid", `${peer.commonName} is no device of this fleet.`);
    return peer.commonName;
  }

  /** Ends the open connections of a device, downloads included. */
  disconnect(device: string): void {
    for (const socket of this.#sockets.get(device) ?? []) socket.destroy();
  }

  #identify(socket: TLSSocket): PeerCertificate {
    const peer = peerCertificateOf(socket);
    if (!peer) throw new MusterError("certificate.invalid", "This address asks for a client certificate.");
    if (!socket.authorized) {
      const reason = String(socket.authorizationError);
      if (reason.includes("CERT_HAS_EXPIRED")) throw new MusterError("certificate.expired");
      throw new MusterError("certificate.invalid", `The client certificate is not accepted: ${reason}.`);
    }
    this.#peers.set(socket, peer);
    this.#remember(peer.commonName, socket);
    return peer;
  }

  #remember(device: string, socket: TLSSocket): void {
    const sockets = this.#sockets.get(device) ?? new Set();
    this.#sockets.set(device, sockets.add(socket));
    socket.once("close", () => {
      sockets.delete(socket);
      if (sockets.size === 0 && this.#sockets.get(device) === sockets) this.#sockets.delete(device);
    });
  }
}
