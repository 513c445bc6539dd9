import type { InferenceSettings } from "../inference/settings.ts";
import type { LinkSettings } from "../link/ports.ts";
import type { UpdateSettings } from "../update/settings.ts";
import type { Settings } from "./settings.ts";

const MIB = 1024 * 1024;
const ms = (seconds: number): number => Math.round(seconds * 1000);

export const linkSettings = (settings: Settings): LinkSettings => ({
  keepaliveSeconds: settings.mqttKeepaliveSeconds,
  connectTimeoutMs: ms(settings.connectTimeoutSeconds),
  reconnect: {
    minMs: ms(settings.reconnectMinSeconds),
    maxMs: ms(settings.reconnectMaxSeconds),
    startDelayMs: ms(settings.startDelaySeconds),
  },
  stableAfterMs: ms(settings.stableAfterSeconds),
  heartbeatMs: ms(settings.heartbeatSeconds),
  pollMs: ms(settings.pollSeconds),
  pollOnlineMs: ms(settings.pollOnlineSeconds),
  drain: {
    batchesInFlight: settings.batchesInFlight,
    ackTimeoutMs: ms(settings.ackTimeoutSeconds),
    batchRecords: settings.batchRecords,
    batchBytes: settings.batchKib * 1024,
  },
});

export const inferenceSettings = (settings: Settings): Partial<InferenceSettings> => ({
  host: settings.inferenceHost,
  port: settings.inferencePort,
  socketPath: settings.inferenceSocket,
  queueLimit: settings.inferenceQueue,
  bodyLimit: Math.round(settings.inferenceBodyMib * MIB),
  hangSeconds: settings.hangSeconds,
});

export const updateSettings = (settings: Settings): Partial<UpdateSettings> => ({
  diskReserveBytes: Math.round(settings.diskReserveMib * MIB),
  backoffBaseMs: ms(settings.reconnectMinSeconds),
  backoffMaxMs: ms(settings.reconnectMaxSeconds),
});
