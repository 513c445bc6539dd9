import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { AlertList } from "@muster/control-plane/api/schemas/alerts";
import type { DriftDetails, DriftList } from "@muster/control-plane/api/schemas/drift";
import type { ReleaseList } from "@muster/control-plane/api/schemas/releases";
import type { DriftBody } from "@muster/shared/protocol/drift-window";
import { ReferenceSet } from "@muster/shared/protocol/model-evidence";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import { parseJson } from "@muster/shared/protocol/validate";
import { sha256 } from "@muster/shared/trust/digest";
import { parseJoinToken } from "@muster/shared/trust/join-token";
import { buildDemoModels } from "../../models/build.ts";
import { until } from "../../support/fleet/until.ts";
import { Box } from "../../support/operator/box.ts";
import { TestControlPlane } from "../../support/operator/control-plane.ts";

const STD = "input:signal:std";
const PLACES = ["eu/berlin", "eu/berlin", "eu/berlin", "eu/paris"];

describe("drift for operators", () => {
  let plane: TestControlPlane;
  let release: ReleaseRef;
  let reference: ReferenceSet;
  let window: (more?: Partial<DriftBody>) => DriftBody;
  const boxes: Box[] = [];
  const seqs = new Map<string, number>();

  before(async () => {
    plane = await TestControlPlane.start("--set", "healthMs=50", "--set", "alertEvaluationMs=200");
    const keys = join(plane.home, "keys");
    await plane.json("keys", "init", "--keys", keys);
    await plane.json("trust", "init", "--keys", keys);
    const demo = await buildDemoModels();
    const { directory } = demo.families[0]!.releases.find(({ version }) => version === "1.1.0")!;
    await plane.json("release", "create", "-f", join(directory, "release.json"), "--keys", keys);
    const { releases } = (await (await plane.call("GET", "/releases")).json()) as ReleaseList;
    const { name, version, sequence, digest } = releases[0]!;
    release = { name, version, sequence, digest };
    const spec = JSON.parse(await readFile(join(directory, "release.json"), "utf8"));
    const [variant] = spec.components.find(({ type }: { type: string }) => type === "model").variants;
    const bytes = await readFile(join(directory, variant.reference));
    reference = parseJson(ReferenceSet, bytes, "model.reference-invalid");
    window = (more = {}) => ({
      release: release.digest,
      model: "vibration",
      version: "1.1.0",
      variant: variant.id,
      reference: sha256(bytes),
      from: Date.now() - 60_000,
      to: Date.now(),
      samples: reference.samples,
      rejected: 0,
      features: Object.fromEntries(
        Object.entries(reference.features).map(([feature, { counts }]) => [feature, counts]),
      ),
      effective: Object.fromEntries(
        Object.keys(reference.features).map((feature) => [feature, reference.samples]),
      ),
      inputs: { signal: { rows: reference.samples, nan: 0, infinite: 0, outOfRange: 0, constant: 0 } },
      againstReference: { drifted: false, alarm: false, feature: STD, psi: 0.001 },
      againstBaseline: null,
      ...more,
    });
    for (const [index, site] of PLACES.entries()) {
      const { token } = await plane.json<{ token: string }>("token", "create", "--site", site);
      const box = await Box.join(plane, `box-${index}`, parseJoinToken(token), () => ({ never: true }));
      await box.runs(release);
      boxes.push(box);
    }
  });
  after(async () => {
    for (const box of boxes) await box.leave();
    await plane?.close();
  });

  async function send(box: Box, ...bodies: DriftBody[]): Promise<void> {
    const first = (seqs.get(box.id) ?? 0) + 1;
    seqs.set(box.id, first + bodies.length - 1);
    await box.batch(
      bodies.map((body, index) => ({ seq: first + index, kind: "drift", at: Date.now(), body })),
    );
  }
  async function get<T>(path: string): Promise<T> {
    const response = await plane.call("GET", path);
    assert.equal(response.status, 200, path);
    return (await response.json()) as T;
  }
  const list = (query = "") => get<DriftList>(`/drift${query}`);
  /** Counts of the feature moved towards its last bins. */
  const shifted = (): Partial<DriftBody> => {
    const { counts } = reference.features[STD]!;
    const total = counts.reduce((sum, count) => sum + count, 0);
    const moved = counts.map((_, bin) => (bin === counts.length - 1 ? total - (counts.length - 1) : 1));
    return {
      features: { ...window().features, [STD]: moved },
      againstReference: { drifted: true, alarm: true, feature: STD, psi: 4.2 },
    };
  };

  it("adds windows up by device, site and fleet, each once, and judges every level", async () => {
    const [one, two, three, four] = boxes as [Box, Box, Box, Box];
    await send(one, window(), window(shifted()));
    await send(two, window());
    await send(three, window(shifted()));
    await send(four, window());
    await until(async () => (await list()).models[0]?.windows === 5);
    // The very same records again, as after a lost acknowledgement.
    seqs.set(four.id, 0);
    await send(four, window());
    await send(four, window());
    await until(async () => (await list()).models[0]?.windows === 6);
    const [fleet] = (await list()).models;
    assert.equal(fleet?.samples, 6 * reference.samples);
    assert.equal(fleet?.judged, 6);
    assert.equal(fleet?.drifted, 2);
    assert.equal(fleet?.band, "severe");
    assert.equal(fleet?.worst?.feature, STD);
    const [berlin] = (await list("?site=eu/berlin")).models;
    assert.equal(berlin?.windows, 4);
    assert.ok(berlin!.worst!.psi > fleet!.worst!.psi, "half of its windows, a third of the fleet's");
    const [paris] = (await list("?site=eu/paris")).models;
    assert.equal(paris?.band, "none");
    assert.equal((await list("?device=box-2")).models[0]?.windows, 1);
    assert.deepEqual((await list("?site=us")).models, []);
    assert.equal((await list(`?release=${release.name}@${release.version}`)).models.length, 1);
    assert.equal((await plane.call("GET", "/drift?site=eu&device=box-1")).status, 400);
    assert.equal((await plane.call("GET", "/drift?release=none@1.0.0")).status, 404);
  });

  it("shows every feature with what was expected and seen, and the devices with an alarm", async () => {
    const { variants } = await get<DriftDetails>(
      `/drift/model?release=${release.name}@${release.version}&model=vibration`,
    );
    const [detail] = variants;
    assert.equal(detail?.reference.samples, reference.samples);
    assert.deepEqual(
      detail?.features.map(({ feature }) => feature).sort(),
      Object.keys(reference.features).sort(),
    );
    for (const { edges, expected, counts } of detail!.features) {
      assert.equal(expected.length, edges.length + 1);
      assert.equal(counts.length, expected.length);
    }
    assert.deepEqual(detail?.drifting.map(({ name, against, feature }) => [name, against, feature]).sort(), [
      ["box-0", "reference", STD],
      ["box-2", "reference", STD],
    ]);
    assert.deepEqual([detail?.alarms, detail?.devices], [2, 4]);
    const { stdout, code } = await plane.muster([
      "drift",
      "show",
      `${release.name}@${release.version}`,
      "vibration",
    ]);
    assert.equal(code, 0);
    assert.match(stdout, /Drift: severe\..*inferences in 6 windows against 1000 of the reference/);
    assert.match(stdout, /box-0 \(eu\/berlin\) differs from the reference: input:signal:std, PSI 4\.200/);
    const table = await plane.muster(["drift", "--site", "eu/paris"]);
    assert.match(table.stdout, /RELEASE +MODEL +VARIANT +SAMPLES +DRIFT/);
    assert.match(table.stdout, /none/);
  });

  it("counts no window of an unknown release, nor one with other bins", async () => {
    const [one] = boxes as [Box];
    const other = sha256("another release");
    await send(
      one,
      window({ release: other }),
      window({ reference: other }),
      window({ features: { [STD]: [1, 2, 3] } }),
      window({ variant: "none" }),
    );
    await until(async () => (await list()).refused === 4);
    assert.equal((await list()).models[0]?.windows, 6);
  });

  it("takes names that every object has for what they are: names that the reference lacks", async () => {
    const [one] = boxes as [Box];
    await send(one, window({ features: { constructor: [1, 2, 3], valueOf: [1, 2] } }));
    await until(async () => (await list()).refused === 5);
    assert.equal((await list()).models[0]?.windows, 6);
  });

  it("raises an alert of the device, and one of the site where it is on many of its devices", async () => {
    const rules = async () => {
      const { alerts } = await get<AlertList>("/alerts");
      return alerts.filter(({ state }) => state === "firing").map(({ rule }) => rule);
    };
    await until(async () => (await rules()).filter((rule) => rule === "model-drift").length === 2);
    const [, two] = boxes as [Box, Box];
    await send(two, window(shifted()));
    await until(async () => (await rules()).includes("model-drift-site"));
  });

  it("knows where devices stand after a restart, and every sum", async () => {
    const { models } = await list();
    plane = await plane.restart("SIGKILL", "--set", "healthMs=50");
    assert.deepEqual((await list()).models, models);
  });
});
