import type { DeviceProfile } from "./profile.ts";

/** Ways in which a release is bad. `dies` leaves the runner down for good, `crashes` lets it come back. */
export const FAULTS = ["stage", "crashes", "dies", "slower", "errors", "fallback", "drift"] as const;
export type FaultKind = (typeof FAULTS)[number];

/** A release that is bad on some devices. */
export interface Fault {
  /** `name@version`. */
  release: string;
  kind: FaultKind;
  /**
   * How bad: crashes an hour, factor on the inference time, share of failed or fallen-back inferences, factor on
   * the distance of scores from 1.
   */
  severity: number;
  /** Time from activation until it shows, milliseconds. */
  afterMs: number;
  affects: (profile: DeviceProfile) => boolean;
}

/** How a release behaves on one device at one moment. */
export interface Conduct {
  stageFails: boolean;
  dies: boolean;
  crashesPerHour: number;
  latencyFactor: number;
  errorRate: number;
  fallbackRate: number;
  confidenceFactor: number;
}

/** Nothing real is without failures: one crash in 2,000 hours, one failed inference in 5,000. */
const GOOD: Conduct = {
  stageFails: false,
  dies: false,
  crashesPerHour: 1 / 2000,
  latencyFactor: 1,
  errorRate: 0.0002,
  fallbackRate: 0,
  confidenceFactor: 1,
};

const WORSE: Record<FaultKind, (severity: number) => Partial<Conduct>> = {
  stage: () => ({ stageFails: true }),
  dies: () => ({ dies: true }),
  crashes: (crashesPerHour) => ({ crashesPerHour }),
  slower: (latencyFactor) => ({ latencyFactor }),
  errors: (errorRate) => ({ errorRate }),
  fallback: (fallbackRate) => ({ fallbackRate }),
  drift: (confidenceFactor) => ({ confidenceFactor }),
};

/** @param activeMs time since the release was activated on this device; a stage fault does not wait for it */
export function conductOf(
  faults: readonly Fault[],
  profile: DeviceProfile,
  release: { name: string; version: string },
  activeMs: number,
): Conduct {
  let conduct = GOOD;
  for (const fault of faults) {
    const hits = fault.release === `${release.name}@${release.version}` && fault.affects(profile);
    if (hits && (fault.kind === "stage" || activeMs >= fault.afterMs))
      conduct = { ...conduct, ...WORSE[fault.kind](fault.severity) };
  }
  return conduct;
}
