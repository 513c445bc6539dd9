import type { Measurement } from "@muster/shared/protocol/evidence";
import type { Claim, Finding } from "../verdict.ts";
import { finding } from "./findings.ts";
import type { PredictedRelease, Predictions } from "./input.ts";

type Component = Measurement["components"][number];

const nameOf = ({ name, version }: { name: string; version: string }): string => `${name} ${version}`;
const claimOf = ({ type }: Component): Claim => (type === "config" ? "configuration" : "executables");

const contains = (release: PredictedRelease, { type, name, version, digest }: Component): boolean =>
  release.components.some(
    (each) =>
      each.type === type && each.name === name && each.version === version && each.digests.includes(digest),
  );

/**
 * Compares what runs with what the releases of the device predict: their signed manifests are the reference values, so
 * that a rollout brings its own, and only a change that nobody planned stands out.
 */
export function judgeComponents(measurement: Measurement, predictions: Predictions): Finding[] {
  const { current, former } = predictions;
  const told = current ? [current, ...former] : former;
  const { release, components } = measurement;
  const running = release && told.find(({ digest }) => digest === release.digest);
  return [
    ...judgeRelease(measurement, predictions, running ?? undefined),
    ...components.flatMap((component) => {
      if (running && contains(running, component)) return [];
      const other = told.find((each) => contains(each, component));
      return other ? standIn(component, other) : unexpected(component, predictions);
    }),
  ];
}

function judgeRelease(
  { release, journal }: Measurement,
  { current, generation, signed }: Predictions,
  running: PredictedRelease | undefined,
): Finding[] {
  if (!release) return [];
  if (!running) {
    const known = signed(release.digest);
    return known === undefined
      ? [
          finding(
            "executables",
            "contraindicated",
            "attestation.component-unknown",
            "attack",
            `It says that it runs ${nameOf(release)}, a release that nobody signed for this fleet.`,
          ),
        ]
      : [
          finding(
            "executables",
            "warning",
            "attestation.release-unexpected",
            "drift",
            `It runs ${known}, which is signed for this fleet but was not given to it: its store was put back or changed by hand.`,
          ),
        ];
  }
  if (running.digest === current?.digest) return [];
  const underWay =
    journal.generation < generation || (journal.phase !== null && journal.phase !== "committed");
  return [
    finding(
      "executables",
      "information",
      "attestation.update-under-way",
      "rollout",
      underWay
        ? `It still runs ${nameOf(running)} and is told ${current ? nameOf(current) : "to run nothing"}: the change comes from its rollout.`
        : `It runs ${nameOf(running)}, which it was told before${current ? ` ${nameOf(current)}` : ""}: it went back by itself.`,
    ),
  ];
}

/** In the middle of a change, or one step down its ladder. */
const standIn = (component: Component, release: PredictedRelease): Finding[] => [
  finding(
    claimOf(component),
    "information",
    "attestation.update-under-way",
    "rollout",
    `The ${component.type} ${nameOf(component)} is that of ${nameOf(release)}, which it was given by a rollout.`,
  ),
];

function unexpected(component: Component, { signed }: Predictions): Finding[] {
  const known = signed(component.digest);
  const what = `The ${component.type} ${nameOf(component)} (${component.digest.slice(0, 19)}…)`;
  return known === undefined
    ? [
        finding(
          claimOf(component),
          "contraindicated",
          "attestation.component-unknown",
          "attack",
          `${what} is in no release that was signed for this fleet: no rollout brought it there.`,
        ),
      ]
    : [
        finding(
          claimOf(component),
          "warning",
          "attestation.release-unexpected",
          "drift",
          `${what} belongs to ${known}, which this device was never given.`,
        ),
      ];
}
