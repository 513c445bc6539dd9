import type { AdmissionInput } from "@muster/control-plane/rollouts/admission/admit";
import { regionOf } from "@muster/control-plane/rollouts/admission/blast-radius";
import type {
  AdmissionCandidate,
  PlaceFacts,
  SiteTerms,
  Strength,
} from "@muster/control-plane/rollouts/admission/facts";

/** A device of a small made-up fleet. */
export interface Box {
  id: string;
  site: string;
  hardwareClass: string;
  unavailable: boolean;
  outstanding: number;
}

/** Facts counted from the devices, and what is said about sites. */
export function placesOf(fleet: readonly Box[], terms: Record<string, Partial<SiteTerms>> = {}): PlaceFacts {
  const strength = (isIn: (box: Box) => boolean): Strength => {
    const there = fleet.filter(isIn);
    return { devices: there.length, unavailable: there.filter(({ unavailable }) => unavailable).length };
  };
  return {
    siteOf: (path) => ({ timeZone: "UTC", windows: [], uplinkKbps: null, ...terms[path] }),
    site: (path) => strength(({ site }) => site === path),
    region: (path, depth) => strength(({ site }) => regionOf(site, depth) === path),
    hardwareClass: (name) => strength(({ hardwareClass }) => hardwareClass === name),
    outstandingBytes: (path) =>
      fleet.reduce((sum, { site, outstanding }) => sum + (site === path ? outstanding : 0), 0),
  };
}

export const box = (id: string, site: string, more: Partial<Box> = {}): Box => ({
  id,
  site,
  hardwareClass: "linux-x64-cpu",
  unavailable: false,
  outstanding: 0,
  ...more,
});

export const candidate = (
  { id, ...place }: Box,
  more: Partial<AdmissionCandidate> = {},
): AdmissionCandidate => ({
  device: id,
  site: place.site,
  hardwareClass: place.hardwareClass,
  unavailable: place.unavailable,
  online: true,
  notBefore: null,
  busyElsewhere: false,
  bytes: 1_000_000,
  ...more,
});

/** Nothing limits anything: what a test is about goes over it. */
export const boundless = (fleet: readonly Box[]): AdmissionInput => ({
  plan: {
    pace: null,
    maxInFlight: null,
    blastRadius: { regionDepth: 2 },
    uplinkSharePercent: 50,
    windows: "site",
  },
  candidates: fleet.map((one) => candidate(one)),
  places: placesOf(fleet),
  freezes: [],
  pace: null,
  notified: 0,
  succeeded: 0,
  inFlight: 0,
  room: Number.POSITIVE_INFINITY,
  tickMs: 1000,
  now: Date.parse("2026-11-22T12:00Z"),
});
