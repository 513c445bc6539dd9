import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SiteBook, type SiteEntry } from "@muster/control-plane/fleet/site-book";
import { siteTree } from "@muster/control-plane/fleet/sites";

const entry = (path: string, stated: Partial<SiteEntry>): SiteEntry => ({
  path,
  labels: {},
  timeZone: null,
  uplinkKbps: null,
  windows: null,
  ...stated,
});
const night = { from: "02:00", to: "05:00" };

describe("site tree", () => {
  it("counts a device at its site and at everything above it", () => {
    const tree = siteTree(
      [
        { site: "eu/de/berlin", status: "active", liveness: "online" },
        { site: "eu/de", status: "active", liveness: "late" },
        { site: "eu/fr", status: "active", liveness: "offline" },
        { site: "eu/fr", status: "revoked", liveness: "offline" },
        { site: "us", status: "active", liveness: "flapping" },
      ],
      new SiteBook([]),
    );
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

  it("shows a site of which something is stated before it has devices, and what is above it", () => {
    const tree = siteTree([], new SiteBook([entry("eu/de", { timeZone: "Europe/Berlin" })]));
    assert.deepEqual(
      tree.map(({ site, devices, settings, effective }) => [
        site,
        devices,
        settings.timeZone,
        effective.timeZone,
      ]),
      [
        ["eu", 0, null, "UTC"],
        ["eu/de", 0, "Europe/Berlin", "Europe/Berlin"],
      ],
    );
  });
});

describe("what holds at a site", () => {
  const book = new SiteBook([
    entry("eu", { labels: { region: "eu", tier: "2" }, timeZone: "Europe/Paris", windows: [night] }),
    entry("eu/de", { labels: { tier: "1" }, timeZone: "Europe/Berlin", uplinkKbps: 2000 }),
    entry("eu/de/lab", { windows: [] }),
  ]);

  it("is its own word, else that of the nearest site above, else UTC, any time and no limit", () => {
    assert.deepEqual(book.effective("us/reno"), {
      labels: {},
      timeZone: "UTC",
      uplinkKbps: null,
      windows: [],
    });
    assert.deepEqual(book.effective("eu/fr"), {
      labels: { region: "eu", tier: "2" },
      timeZone: "Europe/Paris",
      uplinkKbps: null,
      windows: [night],
    });
    assert.deepEqual(book.effective("eu/de/berlin/hall-3"), {
      labels: { region: "eu", tier: "1" },
      timeZone: "Europe/Berlin",
      uplinkKbps: 2000,
      windows: [night],
    });
    assert.deepEqual(book.effective("eu/de/lab").windows, []);
  });

  it("does not reach a site whose name only begins alike", () => {
    assert.deepEqual(book.effective("eu-north").labels, {});
    assert.equal(book.effective("eu/deutz").timeZone, "Europe/Paris");
  });

  it("adds to a device's labels and never overrides them", () => {
    assert.deepEqual(book.labelsWith("eu/de/berlin", { tier: "9", line: "4" }), {
      region: "eu",
      tier: "9",
      line: "4",
    });
    const own = { line: "4" };
    assert.equal(book.labelsWith("us", own), own);
  });
});
