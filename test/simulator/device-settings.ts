import { type DeviceSettings, defaultDeviceSettings, type Span } from "./device/settings.ts";
import type { Scenario } from "./scenario/schema.ts";

const ms = (seconds: number): number => Math.round(seconds * 1000);
const span = (seconds: readonly number[]): Span => [ms(seconds[0] ?? 0), ms(seconds[1] ?? 0)];

/** Device settings of a scenario over the defaults. */
export function deviceSettings(given: Scenario["devices"] = {}): DeviceSettings {
  const settings: DeviceSettings = structuredClone(defaultDeviceSettings);
  const { reconnect, work } = settings;
  if (given.heartbeatSeconds !== undefined) settings.heartbeatMs = ms(given.heartbeatSeconds);
  if (given.telemetrySeconds !== undefined) settings.telemetryMs = ms(given.telemetrySeconds);
  if (given.stableAfterSeconds !== undefined) settings.stableAfterMs = ms(given.stableAfterSeconds);
  settings.resultsPerTelemetry = given.resultsPerTelemetry ?? settings.resultsPerTelemetry;
  settings.inferencesPerSecond = given.inferencesPerSecond ?? settings.inferencesPerSecond;
  return {
    ...settings,
    reconnect: {
      minMs: given.reconnectMinSeconds === undefined ? reconnect.minMs : ms(given.reconnectMinSeconds),
      maxMs: given.reconnectMaxSeconds === undefined ? reconnect.maxMs : ms(given.reconnectMaxSeconds),
      startDelayMs:
        given.startDelaySeconds === undefined ? reconnect.startDelayMs : ms(given.startDelaySeconds),
    },
    work: {
      resolve: work.resolve,
      fetch: given.fetchSeconds ? span(given.fetchSeconds) : work.fetch,
      stage: given.stageSeconds ? span(given.stageSeconds) : work.stage,
      activate: given.activateSeconds ? span(given.activateSeconds) : work.activate,
      restore: given.restoreSeconds ? span(given.restoreSeconds) : work.restore,
    },
  };
}
