import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { GoldenSet, ReferenceSet } from "@muster/shared/protocol/model-evidence";
import { ReleaseSpec } from "@muster/shared/protocol/release-spec";
import { parseJson } from "@muster/shared/protocol/validate";
import { sha256 } from "@muster/shared/trust/digest";
import { FAMILIES } from "../../models/build.ts";
import { buildReleases } from "../../models/releases.ts";

const PLAN = { calibration: 60, heldOut: 60, golden: 4 };

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "muster-models-test-"));
});
after(() => rm(folder, { recursive: true, force: true }));

async function digests(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(
    files.sort().map(async (file) => `${file.slice(directory.length)} ${sha256(await readFile(file))}`),
  );
}

for (const family of FAMILIES) {
  const quick = {
    ...family,
    training: [
      { steps: 60, batch: 16, rate: 0.005 },
      { steps: 10, batch: 16, rate: 0.005 },
    ] as const,
  };

  test(`${family.name}: two builds write the same bytes, in the published schemas`, async () => {
    const [first, second] = [join(folder, `${family.name}-a`), join(folder, `${family.name}-b`)];
    const releases = await buildReleases(first, quick, PLAN);
    await buildReleases(second, quick, PLAN);
    assert.deepEqual(await digests(first), await digests(second));
    assert.deepEqual(
      releases.map((release) => release.version),
      ["1.0.0", "1.1.0", "1.2.0-slow", "1.2.0-inaccurate", "1.2.0-crashing"],
    );
    for (const release of releases) {
      const path = join(first, release.folder);
      const read = (file: string): Promise<string> => readFile(join(path, file), "utf8");
      const spec = parseJson(ReleaseSpec, await read("release.json"), "release.manifest-invalid");
      assert.equal(spec.name, family.name);
      assert.equal(spec.version, release.version);
      for (const component of spec.components) {
        if (component.type === "config") {
          JSON.parse(await read(component.document));
          continue;
        }
        assert.deepEqual(
          component.variants.map((variant) => variant.id),
          ["int8", "fp32"],
        );
        for (const variant of component.variants) {
          const golden = parseJson(GoldenSet, await read(variant.golden), "release.manifest-invalid");
          assert.ok(golden.cases.length >= 1 && golden.cases.length <= PLAN.golden);
          const reference = parseJson(
            ReferenceSet,
            await read(variant.reference),
            "release.manifest-invalid",
          );
          for (const { edges, counts } of Object.values(reference.features)) {
            assert.equal(counts.length, edges.length + 1);
            assert.ok(edges.every((edge, i) => i === 0 || edge > edges[i - 1]!));
            assert.equal(
              counts.reduce((sum, count) => sum + count, 0),
              reference.samples,
            );
          }
        }
      }
    }
  });
}
