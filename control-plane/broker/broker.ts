import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from "node:tls";
import { asMusterError, MusterError } from "@muster/shared/errors";
import { type DownChannel, downTopic, parseUpTopic, type UpChannel } from "@muster/shared/protocol/topics";
import { MAX_PAYLOAD_BYTES } from "@muster/shared/protocol/wire";
import { Aedes, type AuthenticateError, type Client, type ConnectPacket } from "aedes";
import { type PeerCertificate, peerCertificateOf } from "../enrollment/peer-certificate.ts";
import type { ServerIdentity } from "../enrollment/server-identity.ts";
import type { DeviceStatus } from "../fleet/types.ts";
import { listenError } from "../settings/listen-error.ts";
import { AcceptPace } from "./accept-pace.ts";
import { connectRefusal, publishRefusal, subscribeRefusal } from "./access.ts";
import { limitPackets } from "./packet-limit.ts";

export interface BrokerPorts {
  statusOf(device: string): DeviceStatus | undefined;
  /** Milliseconds since the epoch. */
  now(): number;
  onMessage(device: string, channel: UpChannel, payload: Uint8Array): void;
  /** Undefined when more may come; otherwise resolves when there is room again. */
  room(): Promise<void> | undefined;
  /** A known device broke the rules of the protocol. */
  onViolation(device: string, violation: MusterError): void;
  /** Something in the broker itself failed. */
  onError(error: MusterError): void;
}

export interface BrokerSettings {
  host: string;
  port: number;
  maxConnections: number;
  acceptPerSecond: number;
  handshakeTimeoutMs: number;
}

/** Topic and fixed header around the largest payload, bytes. */
const PACKET_OVERHEAD = 1024;
/** Connections that wait longer than this for their turn are turned away; devices come back with jitter. */
const LONGEST_ACCEPT_WAIT_MS = 5_000;
const NOT_AUTHORIZED = 5;

/** The MQTT 3.1.1 broker inside the control plane: mutual TLS, one rule set, messages handed over in-process. */
export class Broker {
  readonly #ports: BrokerPorts;
  readonly #settings: BrokerSettings;
  readonly #pace: AcceptPace;
  readonly #aedes: Aedes;
  readonly #tls: TlsServer;
  readonly #listener: Server;
  readonly #sockets = new Set<Socket>();
  readonly #clients = new Map<string, Client>();
  readonly #wills = new WeakMap<Client, ConnectPacket["will"]>();
  readonly #certificates = new WeakMap<Client, PeerCertificate>();

  private constructor(identity: ServerIdentity, settings: BrokerSettings, ports: BrokerPorts) {
    this.#ports = ports;
    this.#settings = settings;
    this.#pace = new AcceptPace(settings.acceptPerSecond, LONGEST_ACCEPT_WAIT_MS);
    this.#aedes = new Aedes({
      // No queue before delivery: behind one device that reads nothing it would stand still for all of them.
      concurrency: 0,
      connectTimeout: 10_000,
      drainTimeout: 15_000,
      keepaliveLimit: 300,
      maxTopicLevels: 10,
      preConnect: (client, packet, done) => {
        this.#wills.set(client, packet.will);
        // Sessions kept for absent clients would queue without a limit; the protocol does not need them.
        packet.clean = true;
        done(null, true);
      },
      authenticate: (client, _name, _password, done) => {
        const refusal = this.#refuseConnect(client);
        done(refusal ?? null, refusal === undefined);
      },
      authorizePublish: (client, packet, done) => this.#authorizePublish(client, packet, done),
      authorizeSubscribe: (client, subscription, done) => {
        const refusal = subscribeRefusal(client.id, subscription.topic);
        if (refusal) this.#ports.onViolation(client.id, refusal);
        done(null, refusal ? null : subscription);
      },
    });
    this.#aedes.on("error" as "closed", (error?: unknown) => this.#ports.onError(asMusterError(error)));
    this.#aedes.on("client", (client) => {
      this.#clients.set(client.id, client);
      // It may have been revoked between its CONNECT and now, when there was nothing to disconnect yet.
      const status = this.#ports.statusOf(client.id);
      if (status === undefined || status === "revoked") client.close();
    });
    this.#aedes.on("clientDisconnect", (client) => {
      if (this.#clients.get(client.id) === client) this.#clients.delete(client.id);
    });
    this.#aedes.on("publish", (packet, client) => {
      const up = client ? parseUpTopic(packet.topic) : undefined;
      if (up) this.#ports.onMessage(up.device, up.channel, Buffer.from(packet.payload));
    });
    this.#tls = createTlsServer({
      ...identity.secureContext(),
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: "TLSv1.2",
      handshakeTimeout: settings.handshakeTimeoutMs,
    });
    identity.onRenewed((context) => this.#tls.setSecureContext(context));
    this.#tls.on("secureConnection", (socket) => this.#welcome(socket));
    this.#tls.on("tlsClientError", (_error, socket) => socket.destroy());
    this.#listener = createServer({ noDelay: true }, (socket) => this.#admit(socket));
    this.#listener.maxConnections = settings.maxConnections;
  }

  /** A broker that takes what is published down to devices; connections come after `listen`. */
  static async create(
    identity: ServerIdentity,
    settings: BrokerSettings,
    ports: BrokerPorts,
  ): Promise<Broker> {
    const broker = new Broker(identity, settings, ports);
    await broker.#aedes.listen();
    return broker;
  }

  /** @throws MusterError `settings.invalid` when the address cannot be bound */
  async listen(): Promise<AddressInfo> {
    const { host, port } = this.#settings;
    await new Promise<void>((resolve, reject) => {
      this.#listener.once("error", (cause) => reject(listenError(host, port, cause)));
      this.#listener.listen(port, host, resolve);
    });
    // A connection that cannot be accepted, for want of file descriptors say, must not end the process.
    this.#listener.on("error", (error) => this.#ports.onError(asMusterError(error)));
    return this.#listener.address() as AddressInfo;
  }

  /**
   * Publishes to one device with QoS 1; a retained message replaces the one before and waits for the device.
   * @throws MusterError `request.unreachable` once the broker is closed
   */
  async publishDown(
    device: string,
    channel: DownChannel,
    payload: string | Uint8Array,
    options: { retain?: boolean } = {},
  ): Promise<void> {
    const packet = {
      cmd: "publish" as const,
      topic: downTopic(device, channel),
      payload: Buffer.from(payload as Uint8Array),
      qos: 1 as const,
      dup: false,
      retain: options.retain === true,
    };
    await new Promise<void>((resolve, reject) => {
      this.#aedes.publish(packet, (error) =>
        error ? reject(asMusterError(error, "request.unreachable")) : resolve(),
      );
    });
  }

  /** Cuts the live session of a device; false when it has none. */
  disconnect(device: string): boolean {
    const client = this.#clients.get(device);
    client?.close();
    return client !== undefined;
  }

  isConnected(device: string): boolean {
    return this.#clients.has(device);
  }

  connections(): number {
    return this.#clients.size;
  }

  async close(): Promise<void> {
    const stopped = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    await new Promise<void>((resolve) => this.#aedes.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await stopped;
  }

  #admit(socket: Socket): void {
    socket.on("error", () => socket.destroy());
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    const wait = this.#pace.admit(performance.now());
    if (wait === undefined) socket.destroy();
    else if (wait === 0) this.#tls.emit("connection", socket);
    else {
      const timer = setTimeout(() => this.#tls.emit("connection", socket), wait);
      socket.once("close", () => clearTimeout(timer));
    }
  }

  #welcome(socket: TLSSocket): void {
    const client = this.#aedes.handle(socket);
    limitPackets(client, MAX_PAYLOAD_BYTES + PACKET_OVERHEAD, (bytes) => {
      if (this.#clients.get(client.id) === client)
        this.#ports.onViolation(client.id, new MusterError("wire.oversized", `A packet of ${bytes} bytes.`));
    });
  }

  #refuseConnect(client: Client): AuthenticateError | undefined {
    const certificate = peerCertificateOf(client.conn as TLSSocket);
    if (certificate) this.#certificates.set(client, certificate);
    const commonName = certificate?.commonName;
    const status = commonName === undefined ? undefined : this.#ports.statusOf(commonName);
    const refusal = connectRefusal(client.id, commonName, status, this.#wills.get(client));
    if (!refusal) return undefined;
    if (commonName !== undefined && status !== undefined && status !== "revoked")
      this.#ports.onViolation(commonName, refusal);
    return Object.assign(new Error(refusal.message), { returnCode: NOT_AUTHORIZED });
  }

  /** A session may outlive the certificate that it was opened with. */
  #expiry(client: Client): MusterError | undefined {
    const expiresAt = this.#certificates.get(client)?.expiresAt ?? 0;
    return expiresAt > this.#ports.now() ? undefined : new MusterError("certificate.expired");
  }

  #authorizePublish(
    client: Client | null,
    packet: { topic: string; qos: number; retain?: boolean; payload: string | Buffer },
    done: (error?: Error | null) => void,
  ): void {
    const refusal = client ? (this.#expiry(client) ?? publishRefusal(client.id, packet)) : undefined;
    if (client && refusal) this.#ports.onViolation(client.id, refusal);
    const room = refusal ? undefined : this.#ports.room();
    if (room) void room.then(() => done());
    else done(refusal ?? null);
  }
}
