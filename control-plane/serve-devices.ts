import { asMusterError, MusterError } from "@muster/shared/errors";
import type { SigningKey } from "@muster/shared/trust/ed25519";
import type { Logger } from "pino";
import type { Attestation } from "./attestation/attestation.ts";
import type { AuditLog } from "./audit/audit-log.ts";
import { Broker } from "./broker/broker.ts";
import { DeviceApi } from "./device-api/server.ts";
import type { Authority } from "./enrollment/authority.ts";
import { DeviceCommands } from "./enrollment/device-commands.ts";
import { DeviceStanding } from "./enrollment/device-standing.ts";
import type { EkRoots } from "./enrollment/ek-roots.ts";
import { Enrollment } from "./enrollment/enrollment.ts";
import type { JoinTokens } from "./enrollment/join-tokens.ts";
import type { ServerIdentity } from "./enrollment/server-identity.ts";
import { standingPorts } from "./enrollment/standing-ports.ts";
import { WipeWitness } from "./enrollment/wipe-witness.ts";
import type { Examples } from "./examples/examples.ts";
import type { Directory } from "./fleet/directory.ts";
import type { Presence } from "./fleet/presence.ts";
import type { HeartbeatBook, HeartbeatObserver } from "./ingest/heartbeat-observer.ts";
import { Ingest } from "./ingest/ingest.ts";
import { RateWindow } from "./ingest/rate-window.ts";
import type { RecordObserver } from "./ingest/record-observer.ts";
import type { KeyLeases } from "./keys/key-leases.ts";
import type { SecretStore } from "./people/secrets/secret-store.ts";
import type { DeviceReleaseRoutes } from "./releases/device-routes.ts";
import { DirectiveDesk } from "./rollouts/directive-desk.ts";
import { inUrl } from "./settings/addresses.ts";
import type { Closers } from "./settings/closers.ts";
import type { ControlPlaneSettings } from "./settings/settings.ts";
import type { Stores } from "./storage/database.ts";
import type { TrustRepository } from "./trust/repository.ts";

export interface DeviceSideParts extends DeviceReleaseRoutes {
  stores: Stores;
  audit: AuditLog;
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
  attestation: Attestation;
  keyLeases: Pick<KeyLeases, "lease">;
  directory: Directory;
  secrets: Pick<SecretStore, "deliver">;
  tokens: JoinTokens;
  ekRoots: EkRoots;
  /** Signs commands to devices. */
  commandKey: SigningKey;
  log: Logger;
  clock: () => number;
}

/** Everything that devices talk to. Broker, ingest, enrollment and HTTPS listener need each other: tied here. */
export interface DeviceSide {
  ingest: Ingest;
  broker: Broker;
  /** Hands directives out. */
  desk: DirectiveDesk;
  standing: DeviceStanding;
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
  const commands = new DeviceCommands(stores, parts.commandKey, clock);
  const witness = new WipeWitness({ wiped: (device, outcome) => standing.wiped(device, outcome) }, logged);
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
      keepers: [...parts.keepers, witness, parts.attestation.keeper],
      attestation: parts.attestation,
      isWithheld: (device) => parts.directory.withheldBecause(device) !== undefined,
      onError: logged,
    },
    clock,
  );
  closers.add(() => parts.attestation.close());
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

  const desk = new DirectiveDesk({
    stores,
    directory: parts.directory,
    publishDown: (device, channel, payload, how) => broker.publishDown(device, channel, payload, how),
  });
  const ports = standingPorts({
    presence,
    broker,
    desk,
    deviceApi: () => deviceApi,
    log: (fields, message) => log.warn(fields, message),
    onError: logged,
  });
  const standing: DeviceStanding = new DeviceStanding(
    stores,
    { ...ports, tokens: parts.tokens, commands },
    clock,
  );
  await witness.recover(stores);
  for (const { device, document } of await commands.waiting()) ports.onCommand(device, document);

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
        parts.attestation.enrolled(device);
        log.info({ device, site }, "device enrolled");
      },
      ekRoots: parts.ekRoots,
      onReplaced: (former, device) => ports.onRevoked(former, `replaced by ${device}`),
    },
    clock,
  );

  const listen = async () => {
    const { port: mqtt } = await broker.listen();
    parts.attestation.start({
      isConnected: (device) => broker.isConnected(device),
      publishDown: (device, channel, payload, how) => broker.publishDown(device, channel, payload, how),
      note: (device, error) => ingest.note(device, error),
    });
    deviceApi = await DeviceApi.create(
      {
        stores,
        identity,
        enrollment,
        presence,
        desk,
        releases: parts,
        examples: parts.examples,
        keyLeases: parts.keyLeases,
        secrets: parts.secrets,
        audit: parts.audit,
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
  return { ingest, broker, desk, standing, listen };
}
