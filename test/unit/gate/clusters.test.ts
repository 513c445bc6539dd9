import assert from "node:assert/strict";
import { test } from "node:test";
import { clustersOf } from "@muster/control-plane/rollouts/gate/clusters";
import { judgeGate } from "@muster/control-plane/rollouts/gate/judge";
import { fleetOf } from "./heartbeats.ts";
import { judged } from "./judging.ts";

type Member = Parameters<typeof clustersOf>[0][number];

const devices = (site: string, hardwareClass: string, succeeded: number, failed: number): Member[] => [
  ...Array.from({ length: succeeded }, () => ({ site, hardwareClass, status: "succeeded" as const })),
  ...Array.from({ length: failed }, () => ({ site, hardwareClass, status: "failed" as const })),
];

const sites = (count: number, succeeded: number, failed = 0) =>
  Array.from({ length: count }, (_, index) => devices(`eu/paris-${index}`, "x64", succeeded, failed)).flat();

test("failures at one site are named with both denominators", () => {
  const members = [...devices("eu/berlin-1", "x64", 0, 5), ...sites(1, 4, 1), ...sites(7, 5)];
  const [cluster, ...rest] = clustersOf(members);
  assert.equal(
    cluster?.sentence,
    "5 of 6 failures are at eu/berlin-1, where 5 of 5 failed; elsewhere 1 of 40.",
  );
  assert.equal(rest.length, 0);
});

test("failures on one hardware class are named", () => {
  const members = [
    ...Array.from({ length: 6 }, (_, index) => devices(`s${index}`, "jetson", 0, 1)).flat(),
    ...sites(6, 5),
  ];
  assert.deepEqual(
    clustersOf(members).map(({ place, name, failed }) => [place, name, failed]),
    [["hardware-class", "jetson", 6]],
  );
});

test("what chance explains is not named", () => {
  for (const members of [
    [],
    sites(3, 5),
    sites(4, 4, 1),
    devices("only", "x64", 3, 3),
    [...devices("a", "x64", 0, 1), ...sites(9, 5)],
    [...devices("a", "x64", 0, 2), ...sites(4, 3)],
  ])
    assert.deepEqual(clustersOf(members), []);
});

test("devices without a known end do not count", () => {
  const open = Array.from({ length: 30 }, () => ({
    site: "a",
    hardwareClass: "x64",
    status: "told" as const,
  }));
  assert.deepEqual(clustersOf([...open, ...devices("a", "x64", 0, 3), ...devices("b", "x64", 2, 0)]), []);
});

test("a gate that is violated says where the failures lie", () => {
  const members = [...devices("eu/berlin-1", "x64", 0, 5), ...sites(1, 4, 1), ...sites(7, 5)];
  const input = judged(
    fleetOf({ updated: 1, controls: 0 }, () => ({})),
    { metrics: [] },
  );
  const wave = { ...input.wave, total: 46, succeeded: 40, failed: 6 };
  const gate = judgeGate({ ...input, wave, all: wave, members });
  assert.equal(gate.verdict, "violated");
  assert.match(gate.reason, /6 of 46 devices .* failed .* 5 of 6 failures are at eu\/berlin-1/);
});
