import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { buildDemoModels, FAMILIES } from "./build.ts";
import { LoadedModel } from "./runtime.ts";
import { seededRandom } from "./training/random.ts";

const SLOW_RUNS = 9;
const RUNS = 201;

const started = performance.now();
const directory = process.argv[2];
const models = await buildDemoModels(directory === undefined ? {} : { directory });
console.log(`${models.directory} (${((performance.now() - started) / 1_000).toFixed(1)} s)\n`);
printRow("release", "variant", "accuracy", "same as fp32", "bytes", "p50 ms");
for (const { name, releases } of models.families) {
  for (const release of releases) {
    for (const { precision, accuracy, agreement, bytes } of release.variants) {
      const file = join(release.directory, `${name}.${precision}.onnx`);
      const p50 =
        release.kind === "crashing" ? "-" : (await medianMs(name, file, release.kind === "slow")).toFixed(3);
      printRow(release.folder, precision, percent(accuracy), percent(agreement), String(bytes), p50);
    }
  }
}

/** Median time of one inference of one sample, milliseconds. */
async function medianMs(name: string, file: string, slow: boolean): Promise<number> {
  const { draw, face } = FAMILIES.find((family) => family.name === name)!;
  const model = await LoadedModel.load(await readFile(file), face.dims);
  const random = seededRandom(1);
  const times: number[] = [];
  for (let run = 0; run < (slow ? SLOW_RUNS : RUNS); run++) {
    const { data } = draw(random);
    const start = performance.now();
    await model.run(data);
    times.push(performance.now() - start);
  }
  await model.close();
  return times.sort((a, b) => a - b)[times.length >> 1]!;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

function printRow(release: string, ...cells: string[]): void {
  console.log(release.padEnd(28) + cells.map((cell) => cell.padStart(13)).join(""));
}
