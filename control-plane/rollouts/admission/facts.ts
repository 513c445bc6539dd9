import type { WeeklyWindow } from "@muster/shared/time/weekly-window";

/** A device that an open wave wants to tell. */
export interface AdmissionCandidate {
  device: string;
  site: string;
  hardwareClass: string;
  /** Any liveness but offline: only such a device is told. */
  online: boolean;
  /** Counted as unavailable in the facts of its places already, e.g. not serving: telling it costs nothing more. */
  unavailable: boolean;
  /** When its retry is due, milliseconds since the epoch. */
  notBefore: number | null;
  /** Another rollout has it or goes first. */
  busyElsewhere: boolean;
  /** Download size of its variant. */
  bytes: number;
}

/** What a site says about itself, values of the sites above it included. */
export interface SiteTerms {
  /** IANA name. */
  timeZone: string;
  /** When it may be changed; empty for any time. */
  windows: readonly WeeklyWindow[];
  /** Kilobits (1000 bits) a second; null where nobody stated it. */
  uplinkKbps: number | null;
}

/** Active devices of a place, and those of them that are offline, changing or not serving. */
export interface Strength {
  devices: number;
  unavailable: number;
}

/** Facts of the whole fleet, not only of one rollout; they stay the same during one `admit`. */
export interface PlaceFacts {
  siteOf(path: string): SiteTerms;
  /** Devices right at this site, without those of sites below it. */
  site(path: string): Strength;
  /** Devices whose `regionOf(site, depth)` is `path`. */
  region(path: string, depth: number): Strength;
  hardwareClass(name: string): Strength;
  /** Bytes that told devices of the site have still to download, over all rollouts. */
  outstandingBytes(site: string): number;
}
