import { type World, world } from "./world.ts";

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
];

/** The release is worse. */
export const FAULTY_WORLDS: readonly World[] = [
  world({ name: "latency x 2, 12 of 72", fault: { latencyFactor: 2 } }),
  world({
    name: "latency x 2 on boxes much alike, 12 of 72",
    deviceSpread: 0.1,
    siteSpread: 0.1,
    fault: { latencyFactor: 2 },
  }),
  world({ name: "latency x 3, 12 of 72", fault: { latencyFactor: 3 } }),
  world({
    name: "latency x 3 on boxes much alike, canary of 3, 400 others",
    updated: 3,
    controls: 400,
    deviceSpread: 0.1,
    siteSpread: 0.1,
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
];
