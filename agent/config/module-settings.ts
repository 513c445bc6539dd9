import { resolve } from "node:path";
import type { AttestationSettings } from "../attestation/ports.ts";
import type { MeasureLimits } from "../choice/measure.ts";
import type { UploaderSettings } from "../examples/uploader.ts";
import type { InferenceSettings } from "../inference/settings.ts";
import { MAX_SOCKET_PATH } from "../inference/socket-paths.ts";
import type { LinkSettings } from "../link/ports.ts";
import type { SessionTuning } from "../runner/control.ts";
import { DEFAULT_SHADOW_SETTINGS, type ShadowSettings } from "../shadow/settings.ts";
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
  grpcPort: settings.inferenceGrpcPort || null,
  socketPath: socketPathOf(settings),
  groupSocketBase: socketPathOf(settings) ?? defaultSocket(settings),
  queueLimit: settings.inferenceQueue,
  rowLimit: settings.inferenceRows,
  bodyLimit: Math.round(settings.inferenceBodyMib * MIB),
  hangSeconds: settings.hangSeconds,
  runnerMemoryMib: settings.runnerMemoryMib || null,
  crashBudget: settings.crashBudget,
  crashWindowSeconds: settings.crashWindowSeconds,
  session: sessionTuning(settings),
});

export const shadowSettings = (settings: Settings): ShadowSettings => ({
  ...DEFAULT_SHADOW_SETTINGS,
  reserveBytes: Math.round(settings.shadowReserveMib * MIB),
  mostBytes: settings.shadowCopyKib * 1024,
  directory: resolve(settings.data, "run"),
});

export const uploaderSettings = (settings: Settings): UploaderSettings => ({
  lookMs: ms(settings.exampleLookSeconds),
  bytesPerSecond: settings.exampleKibPerSecond * 1024,
});

export const measureLimits = ({ measureSeconds }: Settings): Partial<MeasureLimits> => ({ measureSeconds });

export const updateSettings = (settings: Settings): Partial<UpdateSettings> => ({
  diskReserveBytes: Math.round(settings.diskReserveMib * MIB),
  backoffBaseMs: ms(settings.reconnectMinSeconds),
  backoffMaxMs: ms(settings.reconnectMaxSeconds),
});

/** How sessions use the processor where neither heat nor power binds. */
const sessionTuning = (settings: Settings): SessionTuning => ({
  threads: settings.inferenceThreads,
  spinning: settings.inferenceSpinning === "on",
});

/** A chip may take seconds for each of the commands that a piece of evidence needs. */
const TPM_PATIENCE_MS = 60_000;
const SETTLE_MS = { start: 60_000, answer: 10_000 };

export const attestationSettings = (settings: Settings): AttestationSettings => ({
  measurementPcr: settings.measurementPcr === "off" ? null : Number(settings.measurementPcr),
  evidenceMs: ms(settings.evidenceMinutes * 60),
  settleMs: SETTLE_MS,
  tpmMs: TPM_PATIENCE_MS,
  bootLog: settings.bootLog,
  imaList: settings.imaList,
});

export const powerSettings = (settings: Settings) => ({
  session: sessionTuning(settings),
  sampleMs: ms(settings.powerSampleSeconds),
  sysfs: settings.sysfs,
});
