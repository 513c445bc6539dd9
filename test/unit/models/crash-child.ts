import { readFile } from "node:fs/promises";
import { GoldenSet } from "@muster/shared/protocol/model-evidence";
import { parseJson } from "@muster/shared/protocol/validate";
import { FAMILIES } from "../../models/build.ts";
import { goldenAgreement } from "../../models/evidence/compare.ts";
import { LoadedModel } from "../../models/runtime.ts";
import { seededRandom } from "../../models/training/random.ts";

const [familyName, modelFile, goldenFile] = process.argv.slice(2);
const { face, draw } = FAMILIES.find((family) => family.name === familyName)!;
const model = await LoadedModel.load(await readFile(modelFile!), face.dims);
const golden = parseJson(GoldenSet, await readFile(goldenFile!), "model.golden-mismatch");
console.log(`golden ${await goldenAgreement(model, golden)}`);
const random = seededRandom(11);
for (let i = 0; i < 100; i++) await model.run(draw(random).data);
console.log("survived");
