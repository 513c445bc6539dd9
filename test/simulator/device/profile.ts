import type { HardwareFacts } from "@muster/shared/protocol/hardware";
import type { Labels } from "@muster/shared/protocol/primitives";

/** What makes one simulated device different from the others; fixed for the whole run. */
export interface DeviceProfile {
  /** Counts from 0 over the fleet. */
  index: number;
  name: string;
  site: string;
  hardwareClass: string;
  hardware: HardwareFacts;
  labels: Labels;
  /** Median inference time of a good release on this box, milliseconds. */
  latencyMs: number;
  /** Temperature at rest, degrees Celsius. */
  temperatureC: number;
  seed: number;
}
