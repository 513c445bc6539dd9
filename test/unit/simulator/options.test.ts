import assert from "node:assert/strict";
import { test } from "node:test";
import { isMusterError } from "@muster/shared/errors";
import { readOptions } from "../../simulator/options.ts";

test("options have sensible defaults", () => {
  const { devices, sites, seed, scenario, strange } = readOptions([]);
  assert.deepEqual(
    { devices, sites, seed, scenario, strange },
    {
      devices: 100,
      sites: 5,
      seed: 1,
      scenario: undefined,
      strange: undefined,
    },
  );
});

test("a shipped scenario goes by its name, any other by its path", () => {
  assert.match(readOptions(["--scenario", "good-rollout"]).scenario ?? "", /scenarios\/good-rollout\.json$/);
  assert.equal(readOptions(["--scenario", "./mine.json"]).scenario, "./mine.json");
});

test("bad options are refused", () => {
  for (const args of [
    ["--devices", "0"],
    ["--devices", "many"],
    ["--devices", "5", "--sites", "6"],
    ["--seed", "1.5"],
    ["--url", "http://localhost:1"],
    ["--token", "x"],
    ["--keys", "dir"],
    ["--keep", "dir", "--url", "http://localhost:1", "--token", "x"],
    ["--unheard-of"],
    ["stray"],
  ])
    assert.throws(
      () => readOptions(args),
      (error) => isMusterError(error, "settings.invalid"),
      args.join(" "),
    );
});
