import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type DeviceFacts, FleetDevice } from "@muster/control-plane/fleet/fleet-device";
import { SiteBook } from "@muster/control-plane/fleet/site-book";
import type { Claim } from "@muster/control-plane/rollouts/candidates";
import { selectionView } from "@muster/control-plane/rollouts/dry-run";
import { requireTargets, selectTargets } from "@muster/control-plane/rollouts/selection";
import { isMusterError } from "@muster/shared/errors";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ReleaseManifest } from "@muster/shared/protocol/release";

const digest = (digit: string) => `sha256:${digit.repeat(64)}` as const;
const artifact = { name: "file", digest: digest("f"), size: 1 };
const ref: ReleaseRef = { name: "vision", version: "2.0.0", sequence: 2, digest: digest("2") };
const old: ReleaseRef = { name: "vision", version: "1.0.0", sequence: 1, digest: digest("1") };
const manifest = {
  components: [
    {
      type: "model",
      name: "vision",
      version: "2.0.0",
      variants: [
        {
          id: "cpu-int8",
          precision: "int8",
          requires: { providers: ["cpu"], minMemoryMiB: 1000 },
          model: artifact,
          golden: artifact,
          reference: artifact,
        },
      ],
    },
  ],
} as unknown as ReleaseManifest;

const hardware = {
  platform: "linux",
  arch: "x64",
  cpuModel: "",
  cores: 4,
  memoryMiB: 8000,
  opset: 26,
  providers: ["cpu"],
};
const reported = (running: ReleaseRef | null): DeviceFacts["reported"] => ({
  generation: 1,
  running,
  components: [],
  runner: "ready",
  update: null,
  lastResult: null,
  refused: null,
});

const offline = new Set<string>();
const device = (name: string, facts: Partial<DeviceFacts> = {}): FleetDevice =>
  new FleetDevice(
    {
      id: `d-${name}`,
      name,
      site: "eu/berlin",
      labels: {},
      hardware,
      hardwareClass: "linux-x64-cpu",
      status: "active",
      agentVersion: "1.0.0",
      generation: 1,
      directive: null,
      reported: reported(old),
      assurance: "software",
      quarantinedReason: null,
      ...facts,
    },
    1,
    {
      sites: new SiteBook([]),
      now: () => 0,
      verdictOf: () => null,
      presenceOf: (id) => ({ liveness: offline.has(id) ? "offline" : "online", lastSeenAt: null }),
      attempts: () => [],
      inGroup: () => undefined,
      inAnyGroup: () => false,
    },
  );

const select = (
  devices: FleetDevice[],
  plan: { selector?: string; force?: boolean; priority?: number } = {},
  more: { quarantined?: string[]; claims?: [string, Claim][] } = {},
) =>
  selectTargets(
    { inOrder: () => devices, requireGroups: () => undefined },
    { ref, manifest, quarantined: new Set(more.quarantined) },
    { release: ref, selector: "", waves: [], force: false, priority: 500, ...plan },
    new Map(more.claims),
  );
const reasons = (selection: ReturnType<typeof select>) =>
  selection.excluded.map(({ device: { name }, reason }) => [name, reason]);
const names = (devices: readonly FleetDevice[]) => devices.map(({ name }) => name);
const code = (expected: string) => (error: unknown) => isMusterError(error) && error.code === expected;

describe("selection", () => {
  it("says of each device that takes no part why", () => {
    const told = (release: ReleaseRef) => ({ directive: { release } as DeviceFacts["directive"] });
    const selection = select([
      device("fine"),
      device("nothing-yet", { reported: null }),
      device("sold", { status: "revoked" }),
      device("small", { hardware: { ...hardware, memoryMiB: 500 } }),
      device("there", { reported: reported(ref), ...told(ref) }),
      device("there-by-itself", { reported: reported(ref) }),
      device("told-to-leave", { reported: reported(ref), ...told(old) }),
    ]);
    assert.equal(selection.matched, 7);
    assert.deepEqual(names(selection.targets), ["fine", "nothing-yet", "told-to-leave"]);
    assert.deepEqual(reasons(selection), [
      ["sold", "revoked"],
      ["small", "no-variant"],
      ["there", "already-running"],
      ["there-by-itself", "already-running"],
    ]);
    assert.match(selection.excluded[1]?.sentence ?? "", /needs 1000 MiB of memory, has 500/);
  });

  it("does not count what the selector does not describe", () => {
    const devices = [device("a", { site: "us" }), device("b"), device("c", { status: "revoked" })];
    assert.equal(select(devices, { selector: "site=eu" }).matched, 2);
    assert.deepEqual(reasons(select(devices, { selector: "site=eu,status=active" })), []);
    assert.throws(() => select(devices, { selector: "site=" + "(" }), code("selector.invalid"));
  });

  it("leaves a hardware class in quarantine out, unless forced; a rollout does not begin with such a gap", () => {
    const devices = [device("a"), device("b", { hardwareClass: "linux-arm64-cpu" })];
    const held = select(devices, {}, { quarantined: ["linux-arm64-cpu"] });
    assert.deepEqual(reasons(held), [["b", "quarantined"]]);
    assert.throws(() => requireTargets(held), code("release.quarantined"));
    const forced = select(devices, { force: true }, { quarantined: ["linux-arm64-cpu"] });
    assert.equal(forced.targets.length, 2);
    requireTargets(forced);
  });

  it("keeps a device of another rollout as a target and says who goes first", () => {
    const claim = (name: string, priority: number): Claim => ({
      rollout: `r-${name}-${priority}`,
      name,
      priority,
    });
    const devices = [
      device("lower"),
      device("higher"),
      device("same-release"),
      device("earlier"),
      device("free"),
    ];
    const { targets, contended } = select(
      devices,
      { priority: 500 },
      {
        claims: [
          ["d-lower", claim("sound", 400)],
          ["d-higher", claim("sound", 600)],
          ["d-same-release", claim("vision", 500)],
          ["d-earlier", claim("sound", 500)],
        ],
      },
    );
    assert.equal(targets.length, 5);
    assert.deepEqual(
      contended.map(({ device: { name }, rollout, takesOver }) => [name, rollout, takesOver]),
      [
        ["lower", "r-sound-400", true],
        ["higher", "r-sound-600", false],
        ["same-release", "r-vision-500", true],
        ["earlier", "r-sound-500", false],
      ],
    );
  });

  it("refuses a plan that nobody can take part in, with the reasons", () => {
    assert.throws(() => requireTargets(select([], { selector: "site=mars" })), /matches no device/);
    const none = select([device("a", { reported: reported(ref) }), device("b", { status: "revoked" })]);
    assert.throws(() => requireTargets(none), /2 devices.*1 already-running, 1 revoked/);
    assert.throws(() => requireTargets(none), code("rollout.no-targets"));
  });

  it("shows wave by wave which sites and classes, and who is offline", () => {
    const devices = [
      device("a"),
      device("b", { site: "eu/paris" }),
      device("c", { hardwareClass: "linux-arm64-cpu" }),
      device("d"),
    ];
    offline.add("d-c");
    const selection = select(devices);
    const members = devices.map((target, position) => ({ target, wave: position < 1 ? 0 : 1, position }));
    const view = selectionView(ref, selection, members);
    assert.deepEqual([view.matched, view.targets, view.offline], [4, 4, 1]);
    assert.deepEqual(
      view.waves.map(({ number, offline: away, sites, classes }) => ({ number, away, sites, classes })),
      [
        {
          number: 1,
          away: 0,
          sites: [{ key: "eu/berlin", devices: 1, offline: 0 }],
          classes: [{ key: "linux-x64-cpu", devices: 1, offline: 0 }],
        },
        {
          number: 2,
          away: 1,
          sites: [
            { key: "eu/berlin", devices: 2, offline: 1 },
            { key: "eu/paris", devices: 1, offline: 0 },
          ],
          classes: [
            { key: "linux-x64-cpu", devices: 2, offline: 0 },
            { key: "linux-arm64-cpu", devices: 1, offline: 1 },
          ],
        },
      ],
    );
    assert.deepEqual(
      view.waves[1]?.devices.map(({ name, online }) => [name, online]),
      [
        ["b", true],
        ["c", false],
        ["d", true],
      ],
    );
  });
});
