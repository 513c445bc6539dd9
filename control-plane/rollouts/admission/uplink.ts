import type { AdmissionCandidate, PlaceFacts } from "./facts.ts";

/** Seconds of downloads that may wait at a site before another device is told. */
const DRAIN_SECONDS = 60;

interface Line {
  outstanding: number;
  /** Bytes that the rollout's share of the uplink carries in DRAIN_SECONDS. */
  drains: number;
}

/**
 * What the uplinks of sites can carry. A device may be told while that which the site has still to download
 * drains within a minute: its line is busy without a heap of half-done downloads, and where nothing waits even
 * the largest download may begin.
 */
export class UplinkBudget {
  readonly #sharePercent: number;
  readonly #places: PlaceFacts;
  readonly #lines = new Map<string, Line>();

  constructor(sharePercent: number, places: PlaceFacts) {
    this.#sharePercent = sharePercent;
    this.#places = places;
  }

  permits({ site, bytes }: AdmissionCandidate): boolean {
    const { outstanding, drains } = this.#line(site);
    return bytes === 0 || outstanding <= drains;
  }

  take({ site, bytes }: AdmissionCandidate): void {
    this.#line(site).outstanding += bytes;
  }

  #line(site: string): Line {
    let line = this.#lines.get(site);
    if (!line) {
      const { uplinkKbps } = this.#places.siteOf(site);
      const bytesPerSecond =
        uplinkKbps === null ? Number.POSITIVE_INFINITY : (uplinkKbps * 1000 * this.#sharePercent) / 100 / 8;
      line = { outstanding: this.#places.outstandingBytes(site), drains: bytesPerSecond * DRAIN_SECONDS };
      this.#lines.set(site, line);
    }
    return line;
  }
}
