import { hypergeometricTail } from "@muster/shared/stats/hypergeometric";
import type { DeviceRecord } from "../model.ts";
import { counted, fitting } from "../words.ts";
import type { Cluster } from "./views.ts";

type Member = Pick<DeviceRecord, "site" | "hardwareClass" | "status">;

/** Chance that any place is named though the failures lie there by accident. */
const ALPHA = 0.01;
const LEAST_FAILURES = 2;

/**
 * Sites and hardware classes where more devices failed than chance explains, the most telling first: Fisher's
 * exact test of each place against all others, one-sided, Bonferroni over all places. One broken site is no
 * twenty independent failures, and the sentence says so.
 */
export function clustersOf(members: readonly Member[]): Cluster[] {
  const ended = members.filter(({ status }) => status === "succeeded" || status === "failed");
  const failures = ended.filter(({ status }) => status === "failed").length;
  if (failures < LEAST_FAILURES) return [];
  const places = [
    ...placesOf(ended, "site", ({ site }) => site),
    ...placesOf(ended, "hardware-class", ({ hardwareClass }) => hardwareClass),
  ];
  return places
    .map((place) => ({
      ...place,
      chance: hypergeometricTail({
        population: ended.length,
        failures,
        drawn: place.ended,
        hits: place.failed,
      }),
    }))
    .filter(({ failed, chance }) => failed >= LEAST_FAILURES && chance * places.length < ALPHA)
    .sort((a, b) => a.chance - b.chance || (a.name < b.name ? -1 : 1))
    .map(({ chance: _, ...place }) => {
      const cluster = {
        ...place,
        endedElsewhere: ended.length - place.ended,
        failedElsewhere: failures - place.failed,
      };
      return { ...cluster, sentence: sentenceOf(cluster, failures) };
    });
}

function placesOf(ended: readonly Member[], place: Cluster["place"], nameOf: (member: Member) => string) {
  const found = new Map<string, { place: Cluster["place"]; name: string; ended: number; failed: number }>();
  for (const member of ended) {
    const name = nameOf(member);
    const entry = found.get(name) ?? { place, name, ended: 0, failed: 0 };
    entry.ended += 1;
    if (member.status === "failed") entry.failed += 1;
    found.set(name, entry);
  }
  return [...found.values()];
}

function sentenceOf(cluster: Omit<Cluster, "sentence">, failures: number): string {
  const { place, name, ended, failed, endedElsewhere, failedElsewhere } = cluster;
  const where = place === "site" ? `at ${name}` : `on hardware class ${name}`;
  return `${failed} of ${counted(failures, "failure")} ${fitting(failed, "is", "are")} ${where}, where ${failed} of ${ended} failed; elsewhere ${failedElsewhere} of ${endedElsewhere}.`;
}
