/** The parts of the operator API's answers that the demo looks at. */
export interface FleetFacts {
  liveness: { online: number };
  releases: { release: { name: string; version: string } | null; devices: number }[];
  storedResults: number;
}

export interface RolloutFacts {
  id: string;
  state: string;
  reason: string | null;
  startedAt: number;
  endedAt: number | null;
  wave: number | null;
  waves: number;
  counts: Record<string, number>;
}

/** Situations of devices that the rollout has not told anything. */
const UNTOLD = ["waiting", "offline", "held", "skipped", "superseded"];

/** Devices that were told the release, wherever they are now. */
export const toldDevices = ({ counts }: Pick<RolloutFacts, "counts">): number =>
  UNTOLD.reduce((left, situation) => left - (counts[situation] ?? 0), counts.total ?? 0);

export interface RolloutEvent {
  at: number;
  kind: string;
  sentence: string;
}

/** Devices by `name version`, as the fleet proved it. */
export const devicesPerRelease = (fleet: FleetFacts): Record<string, number> =>
  Object.fromEntries(
    fleet.releases.map(({ release, devices }) => [
      release ? `${release.name} ${release.version}` : "nothing",
      devices,
    ]),
  );

export interface AttestationFacts {
  devices: { sentence: string }[];
  counts: { affirming: number };
}

/** What `muster audit verify` found: without a finding it ends with 0. */
export interface AuditFacts {
  entries: number;
}
