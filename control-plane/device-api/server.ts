import type { Server as HttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { MusterError } from "@muster/shared/errors";
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from "fastify";
import { answerProblems, sendProblem } from "../api/problems.ts";
import type { AuditLog } from "../audit/audit-log.ts";
import { recordDeviceCalls } from "../audit/device-calls.ts";
import type { Enrollment } from "../enrollment/enrollment.ts";
import type { ServerIdentity } from "../enrollment/server-identity.ts";
import { exampleRoute } from "../examples/device-route.ts";
import type { Examples } from "../examples/examples.ts";
import type { Presence } from "../fleet/presence.ts";
import { keysRoute } from "../keys/device-route.ts";
import type { KeyLeases } from "../keys/key-leases.ts";
import { secretsRoute } from "../people/secrets/device-route.ts";
import type { SecretStore } from "../people/secrets/secret-store.ts";
import { type DeviceReleaseRoutes, deviceReleaseRoutes } from "../releases/device-routes.ts";
import type { DirectiveDesk } from "../rollouts/directive-desk.ts";
import { listenError } from "../settings/listen-error.ts";
import type { Stores } from "../storage/database.ts";
import { ClientCertificates } from "./client-certificate.ts";
import { desiredRoute } from "./desired.ts";
import { openRoutes, renewRoute } from "./enrollment-routes.ts";
import { paceRecordedCalls } from "./pace.ts";
import { policyRoute } from "./policy.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Id of the device whose certificate the connection showed; empty on the open addresses. */
    device: string;
  }
}

export interface DeviceApiPorts {
  stores: Pick<Stores, "control">;
  identity: ServerIdentity;
  enrollment: Pick<Enrollment, "enroll" | "activate" | "renew">;
  presence: Pick<Presence, "statusOf" | "seen">;
  desk: Pick<DirectiveDesk, "of">;
  releases: DeviceReleaseRoutes;
  examples: Pick<Examples, "take">;
  keyLeases: Pick<KeyLeases, "lease">;
  secrets: Pick<SecretStore, "deliver">;
  audit: Pick<AuditLog, "note" | "write">;
  mqttUrl(hostname: string): string;
  now: () => number;
  logger?: FastifyBaseLogger;
}

export interface DeviceApiSettings {
  host: string;
  port: number;
  bodyLimit: number;
  enrollmentsPerMinute: number;
  maxConnections: number;
  handshakeTimeoutMs: number;
}

/** Time that a device may take to send its request, which is small; answers may take as long as they need. */
const REQUEST_TIMEOUT_MS = 30_000;

/** The HTTPS listener for devices. */
export class DeviceApi {
  readonly #app: FastifyInstance;
  readonly #certificates: ClientCertificates;
  readonly #settings: DeviceApiSettings;

  private constructor(app: FastifyInstance, certificates: ClientCertificates, settings: DeviceApiSettings) {
    this.#app = app;
    this.#certificates = certificates;
    this.#settings = settings;
  }

  static async create(ports: DeviceApiPorts, settings: DeviceApiSettings): Promise<DeviceApi> {
    const certificates = new ClientCertificates((device) => ports.presence.statusOf(device), ports.now);
    const app = Fastify({
      https: {
        ...ports.identity.secureContext(),
        requestCert: true,
        // Devices without a certificate may ask for the CA and enroll; every other address checks it.
        rejectUnauthorized: false,
        minVersion: "TLSv1.2",
        handshakeTimeout: settings.handshakeTimeoutMs,
      },
      bodyLimit: settings.bodyLimit,
      forceCloseConnections: true,
      requestTimeout: REQUEST_TIMEOUT_MS,
      logController: new LogController({ disableRequestLogging: true }),
      ...(ports.logger ? { loggerInstance: ports.logger } : {}),
    }) as unknown as FastifyInstance;
    const server = app.server as unknown as HttpsServer;
    server.maxConnections = settings.maxConnections;
    server.on("error", (error) => app.log.error({ err: error }, "a connection could not be accepted"));
    ports.identity.onRenewed((context) => server.setSecureContext(context));
    app.decorateRequest("device", "");
    answerProblems(app);
    recordDeviceCalls(app, ports.audit, ports.now);
    app.setNotFoundHandler(async (request, reply) =>
      sendProblem(reply, new MusterError("request.not-found", `There is nothing at ${request.url}.`)),
    );
    await app.register(async (open) =>
      openRoutes(open, {
        enrollment: ports.enrollment,
        ca: ports.identity.secureContext().ca,
        enrollmentsPerMinute: settings.enrollmentsPerMinute,
        mqttUrl: ports.mqttUrl,
      }),
    );
    await app.register(async (known) => {
      known.addHook("onRequest", async (request) => {
        request.device = certificates.deviceOf(request.raw.socket as TLSSocket);
      });
      paceRecordedCalls(known, ports.now);
      renewRoute(known, ports.enrollment);
      desiredRoute(known, ports.desk, (device) => ports.presence.seen(device));
      policyRoute(known, ports.stores);
      keysRoute(known, ports.keyLeases);
      secretsRoute(known, ports.secrets);
      await known.register(deviceReleaseRoutes, ports.releases);
      await known.register(async (scoped) => exampleRoute(scoped, ports.examples));
    });
    return new DeviceApi(app, certificates, settings);
  }

  /** @throws MusterError `settings.invalid` when the address cannot be bound */
  async listen(): Promise<AddressInfo> {
    const { host, port } = this.#settings;
    try {
      await this.#app.listen({ host, port });
    } catch (cause) {
      throw listenError(host, port, cause);
    }
    return this.#app.server.address() as AddressInfo;
  }

  /** Ends the open connections of a device. */
  disconnect(device: string): void {
    this.#certificates.disconnect(device);
  }

  async close(): Promise<void> {
    await this.#app.close();
  }
}
