import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ProbationRule } from "@muster/shared/protocol/release";
import type { ReleaseSpec } from "@muster/shared/protocol/release-spec";
import { seededRandom } from "../../models/training/random.ts";

/** Quick enough for a scenario, strict enough that a crashing or failing release does not pass. */
const PROBATION: ProbationRule = {
  minSeconds: 2,
  deadlineSeconds: 60,
  minInferences: 2,
  maxErrorRate: 0.2,
  maxP95Ms: 1_000,
  maxCrashes: 0,
};

export interface SimulatedRelease {
  name: string;
  version: string;
  modelKiB?: number;
  probation?: Partial<ProbationRule>;
}

/** Bytes that follow from the text: no two versions share an artifact. */
function bytesOf(text: string, length: number): Buffer {
  const random = seededRandom([...text].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) % 2 ** 31, 7));
  return Buffer.from(Uint8Array.from({ length }, () => Math.floor(random() * 256)));
}

/**
 * Writes a release spec with one model in a build for plain processors and one for CUDA, and its files. Nobody
 * loads the models: simulated devices take their digests from the signed manifest.
 * @returns the spec file
 */
export async function writeRelease(directory: string, release: SimulatedRelease): Promise<string> {
  const { name, version, modelKiB = 64, probation } = release;
  await mkdir(directory, { recursive: true });
  const variants: Extract<ReleaseSpec["components"][number], { type: "model" }>["variants"] = [];
  for (const [id, precision, provider] of [
    ["fp16-cuda", "fp16", "cuda"],
    ["int8-cpu", "int8", "cpu"],
  ] as const) {
    const stem = `${name}-${version}-${id}`;
    await writeFile(join(directory, `${stem}.onnx`), bytesOf(stem, modelKiB * 1024));
    await writeFile(join(directory, `${stem}.golden.json`), JSON.stringify({ of: stem }));
    await writeFile(join(directory, `${stem}.reference.json`), JSON.stringify({ of: stem, reference: true }));
    variants.push({
      id,
      precision,
      requires: { providers: [provider] },
      model: `${stem}.onnx`,
      golden: `${stem}.golden.json`,
      reference: `${stem}.reference.json`,
    });
  }
  const spec: ReleaseSpec = {
    schema: "muster.release-spec/1",
    name,
    version,
    components: [{ type: "model", name: "detector", version, variants }],
    probation: { ...PROBATION, ...probation },
  };
  const file = join(directory, `${name}-${version}.json`);
  await writeFile(file, JSON.stringify(spec));
  return file;
}
