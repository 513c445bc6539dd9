import { asMusterError, MusterError } from "@muster/shared/errors";
import type { Logger } from "pino";
import { Broker } from "./broker/broker.ts";
import { DeviceApi } from "./device-api/server.ts";
import type { Authority } from "./enrollment/authority.ts";
import { Enrollment } from "./enrollment/enrollment.ts";
import type { ServerIdentity } from "./enrollment/server-identity.ts";
import type { Examples } from "./examples/examples.ts";
import type { Presence } from "./fleet/presence.ts";
import type { HeartbeatBook, HeartbeatObserver } from "./ingest/heartbeat-observer.ts";
import { Ingest } from "./ingest/ingest.ts";
import { RateWindow } from "./ingest/rate-window.ts";
import type { RecordObserver } from "./ingest/record-observer.ts";
import type { DeviceReleaseRoutes } from "./releases/device-routes.ts";
import { inUrl } from "./settings/addresses.ts";
import type { Closers } from "./settings/closers.ts";
import type { ControlPlaneSettings } from "./settings/settings.ts";
import type { Stores } from "./storage/database.ts";
import type { TrustRepository } from "./trust/repository.ts";

export interface DeviceSideParts extends DeviceReleaseRoutes {
  stores: Stores;
  authority: Authority;
  identity: ServerIdentity;
  presence: Presence;
  trust: TrustRepository;
  settings: ControlPlaneSettings;
  /** Keeps what heartbeats say. */
  heartbeats: HeartbeatBook;
  /** Others that count what heartbeats say. */
  observers: readonly HeartbeatObserver[];
  /** Keep records of other kinds than results. */
  keepers: readonly RecordObserver[];
  examples: Pick<Examples, "take">;
  log: Logger;
  clock: () => number;
}

/** Everything that devices talk to. Broker, ingest, enrollment and HTTPS listener need each other: tied here. */
export interface DeviceSide {
  ingest: Ingest;
  broker: Broker;
  enrollment: Enrollment;
  /** Opens both listeners. @throws MusterError `settings.invalid` */
  listen(): Promise<{ mqtt: number; https: number }>;
}

export async function openDeviceSide(parts: DeviceSideParts, closers: Closers): Promise<DeviceSide> {
  const { stores, authority, identity, presence, trust, settings, log, clock } = parts;
  const logged = (error: unknown) => {
    const { code, message } = asMusterError(error);
    log.error({ code, err: error }, message);
  };
  let deviceApi: DeviceApi | undefined;
  const warned = new RateWindow(settings.notedEventsPerMinute);

  const ingest = new Ingest(
    stores,
    presence,
    {
      flushMs: settings.ingestFlushMs,
      flushRecords: settings.ingestFlushRecords,
      queueRecords: settings.ingestQueueRecords,
      notesPerMinute: settings.notedEventsPerMinute,
    },
    {
      acknowledge: (device, ack) => {
        // One that is gone asks again by sending again.
        if (broker.isConnected(device)) broker.publishDown(device, "ack", JSON.stringify(ack)).catch(logged);
      },
      disconnect: (device) => broker.disconnect(device),
      heartbeats: parts.heartbeats,
      observers: parts.observers,
      keepers: parts.keepers,
      onError: logged,
    },
    clock,
  );
  closers.add(() => ingest.close());

  const broker: Broker = await Broker.create(
    identity,
    {
      host: settings.deviceHost,
      port: settings.mqttPort,
      maxConnections: settings.maxConnections,
      acceptPerSecond: settings.acceptPerSecond,
      handshakeTimeoutMs: settings.handshakeTimeoutMs,
    },
    {
      statusOf: (device) => presence.statusOf(device),
      now: clock,
      onMessage: (device, channel, payload) => ingest.handle(device, channel, payload),
      room: () => ingest.room(),
      onViolation: (device, violation) => {
        // One SUBSCRIBE may hold thousands of filters: the log has a limit, as the events have.
        if (warned.passes(device, clock())) log.warn({ device, code: violation.code }, violation.message);
        ingest.note(device, violation);
      },
      onError: logged,
    },
  );
  closers.add(() => broker.close());

  const enrollment = new Enrollment(
    stores,
    authority,
    settings.deviceCertificateDays,
    {
      tufRoot: async () => {
        const root = await trust.rootText();
        if (root === null) throw new MusterError("trust.uninitialized");
        return root;
      },
      onEnrolled: (device, site) => {
        presence.add(device, site);
        log.info({ device, site }, "device enrolled");
      },
      onRevoked: (device, reason) => {
        presence.setRevoked(device);
        broker.disconnect(device);
        deviceApi?.disconnect(device);
        log.warn({ device, reason }, "device revoked");
      },
    },
    clock,
  );

  const listen = async () => {
    const { port: mqtt } = await broker.listen();
    deviceApi = await DeviceApi.create(
      {
        stores,
        identity,
        enrollment,
        presence,
        releases: parts,
        examples: parts.examples,
        mqttUrl: (host) => settings.publicMqttUrl ?? `mqtts://${inUrl(host)}:${mqtt}`,
        now: clock,
        logger: log,
      },
      {
        host: settings.deviceHost,
        port: settings.devicePort,
        bodyLimit: settings.deviceBodyLimit,
        enrollmentsPerMinute: settings.enrollmentsPerMinute,
        maxConnections: settings.maxConnections,
        handshakeTimeoutMs: settings.handshakeTimeoutMs,
      },
    );
    const api = deviceApi;
    closers.add(() => api.close());
    const { port: https } = await api.listen();
    return { mqtt, https };
  };
  return { ingest, broker, enrollment, listen };
}
