import { asMusterError } from "@muster/shared/errors";
import type { Database } from "better-sqlite3";
import type { ModelDeployment } from "../inference/deployment.ts";
import type { OpenKeys } from "../keys/model-keys.ts";
import { keysOfDeployments } from "../keys/sealed-keys.ts";
import { DEFAULT_MEASURE_LIMITS, type MeasureLimits, measureInChild } from "./measure.ts";
import type { Measurement } from "./measurement.ts";
import { Measurements } from "./measurements.ts";
import { measurementKey } from "./surroundings.ts";

export type Measure = (deployment: ModelDeployment, signal: AbortSignal) => Promise<Measurement>;

/**
 * Measures each variant on each provider once, as long as nothing that matters changes.
 * @param now milliseconds since the epoch
 */
export function measureOnce(
  database: Database,
  now: () => number,
  limits: Partial<MeasureLimits> = {},
  openKeys: OpenKeys = async () => new Map(),
): Measure {
  const known = new Measurements(database);
  const all = { ...DEFAULT_MEASURE_LIMITS, ...limits };
  return async (deployment, signal) => {
    let key: string;
    try {
      key = measurementKey(deployment);
    } catch (error) {
      const { message } = asMusterError(error);
      return { failure: { code: "artifact.corrupted", message: message.slice(0, 1000) }, step: "start" };
    }
    const before = known.find(key, now());
    if (before) return before;
    // Not being given a key says nothing about the model: it ends the attempt, as for a release that is not measured.
    const opened = await openKeys(keysOfDeployments([deployment]));
    const keys = [...opened].map(([id, secret]) => ({ id, secret }));
    const measurement = await measureInChild(deployment, all, signal, keys);
    if (isOfThisModel(measurement)) known.keep(key, measurement, now());
    return measurement;
  };
}

/** A damaged file is mended, and a child that did not even begin to load says nothing about what it was to load. */
const isOfThisModel = (measurement: Measurement): boolean =>
  "measured" in measurement ||
  (measurement.failure.code !== "artifact.corrupted" && measurement.step !== "start");
