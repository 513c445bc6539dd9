import assert from "node:assert/strict";
import { test } from "node:test";
import { layOut } from "../../simulator/fleet/layout.ts";

test("devices are spread over sites and regions, with classes by their share", () => {
  const { devices, sites, regions } = layOut(1000, 40, 5);
  assert.equal(new Set(devices.map(({ site, name }) => `${site} ${name}`)).size, 1000);
  assert.equal(new Set(sites).size, 40);
  assert.equal(regions.length, 4);
  for (const site of sites) assert.equal(devices.filter((device) => device.site === site).length, 25);
  const counts: Record<string, number> = {};
  for (const { hardwareClass } of devices) counts[hardwareClass] = (counts[hardwareClass] ?? 0) + 1;
  assert.deepEqual(counts, { "linux-arm64-cpu": 550, "linux-arm64-cuda": 150, "linux-x64-cpu": 300 });
});

test("a layout follows from its seed", () => {
  assert.deepEqual(layOut(50, 7, 9), layOut(50, 7, 9));
  assert.notDeepEqual(layOut(50, 7, 9), layOut(50, 7, 10));
});

test("few sites lie in few regions", () => {
  assert.deepEqual(
    layOut(3, 2, 1).regions.map(({ path }) => path),
    ["eu/de", "eu/pt"],
  );
});
