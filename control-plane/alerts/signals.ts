/** What a signal is measured of: it decides how its alerts are grouped. */
export type SignalScope = "device" | "rollout" | "control-plane";

export interface SignalInfo {
  scope: SignalScope;
  unit: string;
  meaning: string;
}

const of = (scope: SignalScope, unit: string, meaning: string): SignalInfo => ({ scope, unit, meaning });

/** Every signal that a rule may look at. A signal that is not known is absent: it is never taken for 0. */
export const SIGNALS = {
  offline: of("device", "0 or 1", "the liveness is offline"),
  silentSeconds: of("device", "s", "time since the device was heard"),
  flapping: of("device", "0 or 1", "the liveness is flapping: 6 or more connects and wills in 10 minutes"),
  healthScore: of("device", "points", "health score, 100 is healthy"),
  crashes: of("device", "crashes", "runner crashes in the last 10 minutes"),
  errorPercent: of("device", "%", "failed inferences of the last 10 minutes; known from 20 inferences on"),
  fallbackPercent: of(
    "device",
    "%",
    "inferences by another than the preferred provider, last 10 minutes; known from 20 inferences on",
  ),
  degradedPercent: of(
    "device",
    "%",
    "inferences answered by a lower rung of a cascade, last 10 minutes; known from 20 inferences on",
  ),
  refusedPercent: of(
    "device",
    "%",
    "requests that were not computed for want of room or time, last 10 minutes; known from 20 requests on",
  ),
  latencyP95Ms: of("device", "ms", "95th percentile of inference time in the last 10 minutes"),
  driftingModels: of(
    "device",
    "models",
    "models whose drift alarm holds by the device's own windows; known for 6 h after a window",
  ),
  servingStopped: of(
    "device",
    "0 or 1",
    "a model runs by the reported state, yet no runner is ready and none served in the last 10 minutes; unknown while offline",
  ),
  freeDiskMiB: of("device", "MiB", "free disk where the agent keeps its data"),
  freeMemoryMiB: of("device", "MiB", "memory that is free for programs"),
  temperatureC: of("device", "°C", "hottest temperature that the machine tells"),
  heatLevel: of("device", "level", "what the box holds back for heat: 0 normal, 1 warm, 2 hot, 3 critical"),
  drawLevel: of("device", "level", "what the box holds back for its power budget or battery, as heatLevel"),
  watts: of("device", "W", "mean draw between two heartbeats"),
  loadPerCore: of("device", "", "load average per core"),
  clockSkewSeconds: of("device", "s", "distance of the device's clock from the control plane's"),
  outboxMiB: of("device", "MiB", "results that wait on the device; its limit is 64 MiB unless set"),
  syncFailedPercent: of("device", "%", "attempts to reach the control plane that failed, last 10 minutes"),
  lostRecords: of("device", "records", "records that the device had to evict, told in the last hour"),
  certificateDaysLeft: of("device", "d", "until the device certificate ends"),
  contraindicated: of("device", "0 or 1", "the verdict on its evidence is contraindicated"),
  withheld: of(
    "device",
    "0 or 1",
    "it gets nothing new: it does not pass attestation, or it is in quarantine",
  ),
  unattested: of(
    "device",
    "0 or 1",
    "there is no verdict in force; known once any device of the fleet was appraised",
  ),
  updateFailed: of(
    "device",
    "0 or 1",
    "the newest update failed; known for a day after an update ended, so shares are of recent updates",
  ),

  rolloutPaused: of("rollout", "0 or 1", "the rollout is paused"),
  rolloutTurnedBack: of(
    "rollout",
    "0 or 1",
    "the rollout is reverting, or was reverted within the last hour",
  ),

  ingestQueuePercent: of("control-plane", "%", "fill of the queue of records that wait for the database"),
  diskFreePercent: of("control-plane", "%", "free disk of the data directory"),
  diskFreeMiB: of("control-plane", "MiB", "free disk of the data directory"),
  trustDaysLeft: of("control-plane", "d", "until root or targets end, which are signed offline"),
  onlineTrustDaysLeft: of(
    "control-plane",
    "d",
    "until snapshot or timestamp end, which are signed by themselves",
  ),
  serverCertificateDaysLeft: of("control-plane", "d", "until the certificate of the device listeners ends"),
  receiversFailing: of("control-plane", "", "alert receivers whose newest delivery failed"),
} as const satisfies Record<string, SignalInfo>;

export type SignalName = keyof typeof SIGNALS;

export const SIGNAL_NAMES = Object.keys(SIGNALS) as SignalName[];

/** Measured values by signal; what is not known is absent. */
export type Signals = Partial<Record<SignalName, number>>;
