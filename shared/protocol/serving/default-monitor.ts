import type { Monitor } from "./monitoring.ts";

/** How a model is monitored whose release does not say. */
export const DEFAULT_MONITOR: Monitor = {
  windowSeconds: 300,
  minSamples: 200,
  alpha: 0.01,
  minPsi: 0.05,
  alarmWindows: 3,
  ofWindows: 5,
};
