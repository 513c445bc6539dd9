import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type {
  DeviceHealthResource,
  HealthResource,
  SeriesResource,
  SiteHealthList,
} from "@muster/control-plane/api/schemas/health";
import type { ReleaseList } from "@muster/control-plane/api/schemas/releases";
import type { Problem } from "@muster/shared/protocol/device-api";
import { heartbeat, inference } from "../../support/fleet/messages.ts";
import { until } from "../../support/fleet/until.ts";
import { TestControlPlane } from "../../support/operator/control-plane.ts";
import { type Scene, setScene } from "../../support/operator/scene.ts";

const BOXES = ["eu/berlin:press-1", "eu/berlin:press-2", "eu/paris:press-3", "us/austin:robot-a"];
const healthy = { ...heartbeat("s", 1).health, freeMemoryMiB: 900, freeDiskMiB: 9000 };

describe("health for operators", () => {
  let plane: TestControlPlane;
  let scene: Scene;
  let digest: `sha256:${string}`;
  before(async () => {
    plane = await TestControlPlane.start("--set", "healthMs=50");
    scene = await setScene(plane, BOXES);
    const { releases } = await get<ReleaseList>("/releases");
    digest = releases.find(({ version }) => version === "1.0.0")?.digest as `sha256:${string}`;
    const beat = (inferences: number, more: Partial<ReturnType<typeof inference>> = {}) => ({
      health: healthy,
      inference: [inference({ release: digest, inferences, ...more })],
    });
    const [one, two, three, robot] = scene.boxes;
    await one?.beat(beat(100));
    await one?.beat(beat(100));
    await two?.beat(beat(100, { crashes: 2, failures: 30 }));
    await three?.beat({ ...beat(100), health: { ...healthy, freeDiskMiB: 100 } });
    await robot?.beat(beat(100));
    await until(async () => (await get<HealthResource>("/health")).now.heartbeats === 5);
  });
  after(async () => {
    await scene?.close();
    await plane?.close();
  });

  async function get<T>(path: string): Promise<T> {
    const response = await plane.call("GET", path);
    assert.equal(response.status, 200, path);
    return (await response.json()) as T;
  }

  it("names what is wrong first", async () => {
    await until(async () => (await get<HealthResource>("/health")).reasons.length === 3);
    const report = await get<HealthResource>("/health");
    assert.equal(report.devices, 4);
    assert.deepEqual(report.liveness, { online: 4, late: 0, offline: 0, flapping: 0 });
    assert.deepEqual(
      report.worstDevices.map(({ name, score }) => [name, score]),
      [
        ["press-2", 0],
        ["press-3", 60],
      ],
    );
    assert.deepEqual(
      report.worstDevices[0]?.reasons.map(({ code }) => code),
      ["error-rate", "crashes"],
    );
    assert.deepEqual(
      report.worstSites.map(({ site, score, devices }) => [site, score, devices]),
      [
        ["eu/berlin", 0, 2],
        ["eu/paris", 60, 1],
      ],
    );
    assert.deepEqual(report.scores, { good: 2, fair: 0, poor: 1, bad: 1 });
    assert.equal(report.score, 0, "of the worst quarter: one of four");
  });

  it("adds figures up over sites, classes and releases", async () => {
    const { now, day } = await get<HealthResource>("/health");
    assert.deepEqual([now.inferences, now.crashes, now.heartbeats], [500, 2, 5]);
    assert.equal(now.errorPercent, 6);
    assert.equal(day.crashFreeServingPercent, 80, "of 5 times 30 s that of press-2 is void");
    assert.deepEqual(now, day);
    const berlin = await get<HealthResource>("/health/sites/eu/berlin");
    assert.deepEqual(berlin, { ...(await get<HealthResource>("/health?site=eu/berlin")), at: berlin.at });
    assert.equal(berlin.now.inferences, 300);
    const eu = await get<HealthResource>("/health?site=eu");
    assert.equal(eu.now.inferences, 400);
    assert.equal(eu.devices, 3);
    const release = await get<HealthResource>(`/health?release=${encodeURIComponent(digest)}`);
    assert.equal(release.now.inferences, 500);
    assert.equal(release.devices, 0, "no box has proved to run it");
    const hardwareClass = (await get<DeviceHealthResource>("/health/devices/robot-a")).hardwareClass;
    assert.equal((await get<HealthResource>(`/health?class=${hardwareClass}`)).now.inferences, 500);
    const { sites } = await get<SiteHealthList>("/health/sites");
    assert.deepEqual(
      sites.map(({ site, devices, figures }) => [site, devices, figures.inferences]),
      [
        ["eu", 3, 400],
        ["eu/berlin", 2, 300],
        ["eu/paris", 1, 100],
        ["us", 1, 100],
        ["us/austin", 1, 100],
      ],
    );
  });

  it("tells of one device why, and how it fared", async () => {
    const device = await get<DeviceHealthResource>("/health/devices/press-2");
    assert.equal(device.site, "eu/berlin");
    assert.equal(device.score, 0);
    assert.match(device.reasons[0]?.sentence ?? "", /30 % of 100 inferences failed/);
    assert.equal(device.window.crashes, 2);
    assert.equal(device.vitals?.freeDiskMiB, 9000);
    assert.ok(Math.abs(device.clockSkewMs ?? 1e9) < 10_000);
    assert.equal(device.day.crashFreeServingPercent, 0);
  });

  it("gives series of every scope", async () => {
    const robot = (await get<DeviceHealthResource>("/health/devices/robot-a")).device;
    for (const [scope, inferences] of [
      ["fleet", 500],
      ["site:eu/paris", 100],
      [`device:${robot}`, 100],
      [`release:${digest}`, 500],
    ] as const)
      for (const step of [300, 3600, 900]) {
        const { points } = await get<SeriesResource>(
          `/metrics/series?scope=${encodeURIComponent(scope)}&step=${step}`,
        );
        assert.equal(
          points.reduce((sum, point) => sum + point.inferences, 0),
          inferences,
          `${scope} by ${step} s`,
        );
      }
  });

  it("answers questions that make no sense with a code", async () => {
    for (const [path, code] of [
      ["/health?site=eu&class=x", "request.invalid"],
      ["/health?site=mars", "request.not-found"],
      ["/health?class=abacus", "request.not-found"],
      ["/health?release=none@1.0.0", "request.not-found"],
      ["/health?planet=eu", "request.invalid"],
      ["/health/sites/EU", "request.invalid"],
      ["/health/devices/nobody", "request.not-found"],
      ["/metrics/series", "request.invalid"],
      ["/metrics/series?scope=planet", "request.invalid"],
      ["/metrics/series?scope=site:mars", "request.not-found"],
      ["/metrics/series?scope=device:nobody", "request.not-found"],
      ["/metrics/series?scope=fleet&step=301", "request.invalid"],
      ["/metrics/series?scope=fleet&step=300&from=0", "request.invalid"],
      ["/metrics/series?scope=fleet&from=10&to=5", "request.invalid"],
    ] as const) {
      const response = await plane.call("GET", path);
      const problem = (await response.json()) as Problem;
      assert.equal(problem.code, code, `${path}: ${JSON.stringify(problem)}`);
    }
  });

  it("fits one screen on the command line", async () => {
    const said = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await plane.muster(args);
      assert.equal(code, 0, stderr);
      return stdout;
    };
    const status = await said("status");
    assert.match(
      status,
      /^Health score 0: of 4 devices 1 with failed inferences, 1 with crashes, 1 low on disk\./,
    );
    assert.match(status, /eu\/berlin +0 +2 /);
    assert.match(status, /press-2 +eu\/berlin +0 +30 % of 100 inferences failed/);
    assert.match(status, /crash-free 80\.0 % of 3 min of inference/);
    assert.ok(status.split("\n").length <= 24, status);
    assert.match(await said("health", "--site", "us"), /^The device is well\./);
    assert.match(await said("health", "--site", "eu"), /3 devices: 3 online/);
    assert.match(await said("health", "device", "press-3"), /-40 +Only 100 MiB of disk are free\./);
    assert.match(await said("health", "sites"), /us\/austin +100 +1 +nothing/);
    const { now } = await plane.json<HealthResource>("health", "--release", digest);
    assert.equal(now.crashes, 2);
    assert.equal((await plane.muster(["health", "--site", "mars"])).code, 4);
  });

  it("knows the same after it was killed", async () => {
    const before = await get<HealthResource>("/health");
    plane = await plane.restart("SIGKILL", "--set", "healthMs=50");
    await until(async () => (await get<HealthResource>("/health")).now.heartbeats === 5);
    assert.deepEqual((await get<HealthResource>("/health")).day, before.day);
  });
});
