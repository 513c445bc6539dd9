import { type World, world } from "./world.ts";

const THREE = [
  { name: "fast", share: 1 / 3, slower: 1 },
  { name: "middling", share: 1 / 3, slower: 3 },
  { name: "slow", share: 1 / 3, slower: 10 },
] as const;
const EIGHT = Array.from({ length: 8 }, (_, index) => ({
  name: `class-${index}`,
  share: 1 / 8,
  slower: 1.5 ** index,
}));
const ALIKE = { deviceSpread: 0.1, siteSpread: 0.1 };

/** The release is no worse than the one before: every alarm is a false one. */
export const SAME_WORLDS: readonly World[] = [
  world({ name: "devices all alike", deviceSpread: 0, siteSpread: 0, day: 0 }),
  world({ name: "devices differ for good", deviceSpread: 0.8, siteSpread: 0 }),
  world({ name: "heavy tails", heavyTails: true }),
  world({ name: "time of day", day: 0.8 }),
  world({ name: "sites differ", siteSpread: 1, sites: 6, order: "random" }),
  world({ name: "sites differ, one device of each", siteSpread: 1, sites: 24 }),
  world({ name: "few controls", controls: 6, updated: 12 }),
  world({ name: "many controls", controls: 200, updated: 6, sites: 40 }),
  world({ name: "hardly any errors", errorRate: 0.0005 }),
  world({ name: "faster on half of the devices", fault: { latencyFactor: 0.3, on: 0.5 } }),
  world({ name: "long soak, two rounds", controls: 30, soakSeconds: 3600, blocks: 24, startsOver: 10 }),
  world({ name: "three classes, 6 of each beside 30", classes: THREE, updated: 18, controls: 90 }),
  world({ name: "three classes, heavy tails", classes: THREE, updated: 18, controls: 90, heavyTails: true }),
  world({
    name: "eight classes, two of each beside 12",
    classes: EIGHT,
    updated: 16,
    controls: 96,
    sites: 16,
  }),
  world({
    name: "faster on one class of three",
    classes: THREE,
    updated: 18,
    controls: 90,
    fault: { latencyFactor: 0.3, onClass: "fast" },
  }),
];

/** The release is worse. */
export const FAULTY_WORLDS: readonly World[] = [
  world({ name: "latency x 2, 12 of 72", fault: { latencyFactor: 2 } }),
  world({
    name: "latency x 2 on boxes much alike, 12 of 72",
    ...ALIKE,
    fault: { latencyFactor: 2 },
  }),
  world({ name: "latency x 3, 12 of 72", fault: { latencyFactor: 3 } }),
  world({
    name: "latency x 3 on boxes much alike, canary of 3, 400 others",
    updated: 3,
    controls: 400,
    ...ALIKE,
    fault: { latencyFactor: 3 },
  }),
  world({ name: "errors + 10 points, 12 of 72", fault: { errors: 0.1 } }),
  world({ name: "errors + 10 points, 4 of 304", updated: 4, controls: 300, fault: { errors: 0.1 } }),
  world({ name: "fallbacks + 30 points, 12 of 72", fault: { fallbacks: 0.3 } }),
  world({ name: "a crash a block, 6 of 206", updated: 6, controls: 200, fault: { crashes: 1 } }),
  world({
    name: "errors + 30 points on half, 20 of 120",
    updated: 20,
    controls: 100,
    fault: { errors: 0.3, on: 0.5 },
  }),
  world({
    name: "latency x 2 on the fast class of three, boxes much alike, 18 of 318",
    classes: THREE,
    updated: 18,
    controls: 300,
    ...ALIKE,
    fault: { latencyFactor: 2, onClass: "fast" },
  }),
  world({
    name: "latency x 3 on the fast class of three, 36 of 336",
    classes: THREE,
    updated: 36,
    controls: 300,
    fault: { latencyFactor: 3, onClass: "fast" },
  }),
  world({
    name: "errors + 30 points on one class of three, 18 of 318",
    classes: THREE,
    updated: 18,
    controls: 300,
    fault: { errors: 0.3, onClass: "middling" },
  }),
];
