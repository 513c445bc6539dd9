import assert from "node:assert/strict";
import { it } from "node:test";
import { siteTree } from "@muster/control-plane/fleet/sites";

it("counts a device at its site and at everything above it", () => {
  const tree = siteTree([
    { site: "eu/de/berlin", status: "active", liveness: "online" },
    { site: "eu/de", status: "active", liveness: "late" },
    { site: "eu/fr", status: "active", liveness: "offline" },
    { site: "eu/fr", status: "revoked", liveness: "offline" },
    { site: "us", status: "active", liveness: "flapping" },
  ]);
  assert.deepEqual(
    tree.map(({ site, devices, revoked, liveness }) => [site, devices, revoked, Object.values(liveness)]),
    [
      ["eu", 3, 1, [1, 1, 1, 0]],
      ["eu/de", 2, 0, [1, 1, 0, 0]],
      ["eu/de/berlin", 1, 0, [1, 0, 0, 0]],
      ["eu/fr", 1, 1, [0, 0, 1, 0]],
      ["us", 1, 0, [0, 0, 0, 1]],
    ],
  );
});
