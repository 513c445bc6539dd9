import { resolve } from "node:path";
import { MAX_SOCKET_PATH } from "../inference/endpoint.ts";
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

const defaultSocket = ({ data }: Settings): string => resolve(data, "run", "inference.sock");

function socketPathOf(settings: Settings): string | null {
  if (settings.inferenceSocket === "off") return null;
  return settings.inferenceSocket ?? (missingSocket(settings) ? null : defaultSocket(settings));
}

/** Why inference has no Unix socket though nobody switched it off, or undefined when it has one. */
export function missingSocket(settings: Settings): string | undefined {
  const path = defaultSocket(settings);
  const bytes = Buffer.byteLength(path);
  return settings.inferenceSocket === null && bytes > MAX_SOCKET_PATH
    ? `Inference answers over TCP alone: ${path} has ${bytes} bytes, the path of a socket ${MAX_SOCKET_PATH} at most. Choose a shorter --data, or name a path with --inference-socket.`
    : undefined;
}

export const inferenceSettings = (settings: Settings): Partial<InferenceSettings> => ({
  host: settings.inferenceHost,
  port: settings.inferencePort,
  socketPath: socketPathOf(settings),
  queueLimit: settings.inferenceQueue,
  bodyLimit: Math.round(settings.inferenceBodyMib * MIB),
  hangSeconds: settings.hangSeconds,
});

export const updateSettings = (settings: Settings): Partial<UpdateSettings> => ({
  diskReserveBytes: Math.round(settings.diskReserveMib * MIB),
  backoffBaseMs: ms(settings.reconnectMinSeconds),
  backoffMaxMs: ms(settings.reconnectMaxSeconds),
});
