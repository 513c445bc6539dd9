import { hostname } from "node:os";
import { MusterError } from "@muster/shared/errors";

/** Every limit and address of the control plane, in one place. Times in milliseconds, sizes in bytes. */
export interface ControlPlaneSettings {
  /** Address that the device listener and the broker bind to. */
  deviceHost: string;
  /** HTTPS for devices; 0 takes a free port. */
  devicePort: number;
  /** MQTT over TLS; 0 takes a free port. */
  mqttPort: number;
  /** Operator API and page. */
  operatorHost: string;
  operatorPort: number;
  /** PEM files that make the operator listener speak HTTPS; both or neither. */
  operatorCertFile: string | null;
  operatorKeyFile: string | null;
  /** JSON file that names an identity provider and what its claims allow; see docs/people.md. */
  oidcFile: string | null;
  /** Names and addresses that devices reach this control plane by: they go into its server certificate. */
  publicHosts: readonly string[];
  /** Where enrolled devices connect to; derived from the address they enrolled at when null. */
  publicMqttUrl: string | null;

  deviceCertificateDays: number;
  /** Enrollment requests from one address within a minute. */
  enrollmentsPerMinute: number;
  deviceBodyLimit: number;

  /** Of each of the two device listeners. */
  maxConnections: number;
  /** New MQTT connections admitted per second, before the TLS handshake. */
  acceptPerSecond: number;
  handshakeTimeoutMs: number;

  /** Heartbeat interval of the agents: what "online" is measured by. */
  heartbeatIntervalMs: number;
  willGraceMs: number;
  presenceSaveMs: number;

  /** How often rollouts are looked at. */
  rolloutTickMs: number;
  /** Approvals of others that every rollout needs before it starts, at least; a plan may ask for more. */
  rolloutApprovals: number;
  /** How often alert rules are evaluated. */
  alertEvaluationMs: number;

  /** Devices asked for evidence within a second, at most. */
  attestationPerSecond: number;
  /** Time that a device has to answer, milliseconds. */
  attestationAnswerMs: number;

  ingestFlushMs: number;
  ingestFlushRecords: number;
  /** Records that may wait for the database; beyond it batches are refused and the devices send them again. */
  ingestQueueRecords: number;
  /** How often the health of the whole fleet is looked at. */
  healthMs: number;
  /** Days that results are kept, by the day they were received. */
  resultDays: number;
  /** Hours that heartbeats are kept as they came; their sums are kept for longer. */
  heartbeatHours: number;
  /** Largest hard example, and most of one device and of all, MiB. */
  exampleMib: number;
  exampleDeviceMib: number;
  exampleTotalMib: number;
  /** Days that hard examples are kept. */
  exampleDays: number;
  /** Newest events kept for each device. */
  eventsPerDevice: number;
  /** Events that the control plane itself notes about one device within a minute. */
  notedEventsPerMinute: number;
  /** Least verdict with which devices get the keys of sealed models: `affirming`, `warning` or `any`. */
  keyVerdict: "affirming" | "warning" | "any";
  /** How long a device may load a sealed model without a new lease, seconds. */
  keyLeaseSeconds: number;
  /** Days that entries of the audit log are kept. */
  auditDays: number;
  /** How often it is kept in a second place how far the audit log reaches. */
  auditCheckpointMs: number;
  /** Refused calls of one address that are put on record within a minute; of those beyond only how many. */
  auditRefusalsPerMinute: number;
}

export const defaultSettings: ControlPlaneSettings = {
  deviceHost: "0.0.0.0",
  devicePort: 8443,
  mqttPort: 8883,
  operatorHost: "127.0.0.1",
  operatorPort: 8080,
  operatorCertFile: null,
  operatorKeyFile: null,
  oidcFile: null,
  publicHosts: [],
  publicMqttUrl: null,

  deviceCertificateDays: 30,
  enrollmentsPerMinute: 300,
  deviceBodyLimit: 64 * 1024,

  maxConnections: 20_000,
  acceptPerSecond: 150,
  handshakeTimeoutMs: 10_000,

  heartbeatIntervalMs: 30_000,
  willGraceMs: 5_000,
  presenceSaveMs: 15_000,

  rolloutTickMs: 1_000,
  rolloutApprovals: 0,
  alertEvaluationMs: 15_000,

  attestationPerSecond: 50,
  attestationAnswerMs: 120_000,

  ingestFlushMs: 100,
  ingestFlushRecords: 500,
  ingestQueueRecords: 50_000,
  healthMs: 5_000,
  resultDays: 14,
  heartbeatHours: 48,
  exampleMib: 8,
  exampleDeviceMib: 256,
  exampleTotalMib: 10_240,
  exampleDays: 30,
  eventsPerDevice: 1_000,
  notedEventsPerMinute: 6,
  keyVerdict: "warning",
  keyLeaseSeconds: 7 * 86_400,
  auditDays: 1_095,
  auditCheckpointMs: 60_000,
  auditRefusalsPerMinute: 30,
};

/** Highest sensible value of each whole-number setting; all are at least 1 but ports and approvals, which may be 0. */
const MAXIMA: Partial<Record<keyof ControlPlaneSettings, number>> = {
  devicePort: 65_535,
  mqttPort: 65_535,
  operatorPort: 65_535,
  deviceCertificateDays: 3_650,
  enrollmentsPerMinute: 1_000_000,
  deviceBodyLimit: 16 * 1024 ** 2,
  maxConnections: 1_000_000,
  acceptPerSecond: 100_000,
  handshakeTimeoutMs: 120_000,
  heartbeatIntervalMs: 3_600_000,
  willGraceMs: 3_600_000,
  presenceSaveMs: 3_600_000,
  rolloutTickMs: 3_600_000,
  rolloutApprovals: 5,
  alertEvaluationMs: 3_600_000,
  attestationPerSecond: 10_000,
  attestationAnswerMs: 3_600_000,
  ingestFlushMs: 10_000,
  ingestFlushRecords: 100_000,
  ingestQueueRecords: 10_000_000,
  healthMs: 3_600_000,
  resultDays: 3_650,
  heartbeatHours: 8_760,
  exampleMib: 8,
  exampleDeviceMib: 1_000_000,
  exampleTotalMib: 100_000_000,
  exampleDays: 3_650,
  eventsPerDevice: 1_000_000,
  notedEventsPerMinute: 10_000,
  keyLeaseSeconds: 365 * 86_400,
  auditDays: 36_500,
  auditCheckpointMs: 3_600_000,
  auditRefusalsPerMinute: 10_000,
};

/**
 * The given settings over the defaults.
 * @throws MusterError `settings.invalid` with the name of the setting
 */
export function resolveSettings(given: Partial<ControlPlaneSettings> = {}): ControlPlaneSettings {
  for (const [name, value] of Object.entries(given)) requireKind(name, value);
  const settings = { ...defaultSettings, ...given };
  for (const [name, maximum] of Object.entries(MAXIMA)) {
    const value: unknown = settings[name as keyof ControlPlaneSettings];
    const minimum = name.endsWith("Port") || name === "rolloutApprovals" ? 0 : 1;
    if (!Number.isInteger(value) || (value as number) < minimum || (value as number) > maximum)
      throw new MusterError(
        "settings.invalid",
        `${name} is ${String(value)}; it takes a whole number from ${minimum} to ${maximum}.`,
      );
  }
  if (!["affirming", "warning", "any"].includes(settings.keyVerdict))
    throw new MusterError(
      "settings.invalid",
      `keyVerdict is ${settings.keyVerdict}; it takes affirming, warning or any.`,
    );
  if (settings.publicMqttUrl !== null && !/^mqtts:\/\/[^/\s]+$/.test(settings.publicMqttUrl))
    throw new MusterError(
      "settings.invalid",
      `publicMqttUrl is ${settings.publicMqttUrl}; it takes mqtts://HOST:PORT.`,
    );
  return settings;
}

/** Settings arrive from the command line and from files: their names and kinds are checked, not believed. */
function requireKind(name: string, value: unknown): void {
  if (!Object.hasOwn(defaultSettings, name))
    throw new MusterError(
      "settings.invalid",
      `There is no setting ${name}; there are ${Object.keys(defaultSettings).join(", ")}.`,
    );
  if (Object.hasOwn(MAXIMA, name)) return;
  const isList = name === "publicHosts";
  const fits = isList
    ? Array.isArray(value) && value.every(isHost)
    : typeof value === "string"
      ? value !== ""
      : value === null && !name.endsWith("Host");
  if (!fits)
    throw new MusterError(
      "settings.invalid",
      `${name} is ${JSON.stringify(value)}; it takes ${isList ? "a list of host names or addresses" : "a text"}.`,
    );
}

const isHost = (value: unknown): boolean =>
  typeof value === "string" && /^[A-Za-z0-9.:-]{1,253}$/.test(value);

/** Names that the server certificate carries: the loopback names, this machine's and those of the setting. */
export const certificateHosts = (settings: Pick<ControlPlaneSettings, "publicHosts">): string[] => [
  ...new Set(["localhost", "127.0.0.1", "::1", hostname(), ...settings.publicHosts]),
];
