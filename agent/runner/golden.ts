import { readFile } from "node:fs/promises";
import { MusterError } from "@muster/shared/errors";
import type { GoldenSet, GoldenTensor } from "@muster/shared/protocol/model-evidence";
import { provePlacement } from "./backend/placement.ts";
import { toHalf } from "./half.ts";
import type { LoadedModel } from "./model.ts";
import { halfToNumber } from "./monitoring/half-float.ts";
import {
  elementCount,
  isDatatype,
  type TensorData,
  type TensorSpec,
  type TensorValue,
} from "./tensors/datatypes.ts";
import { decodeJsonData } from "./tensors/json.ts";
import { checkShape } from "./tensors/shape.ts";

type Tolerance = GoldenSet["tolerance"];

/** Index of the largest value; the first of equals; -1 for none. */
const argMax = (values: ArrayLike<number>): number => {
  let best = values.length === 0 ? -1 : 0;
  for (let index = 1; index < values.length; index++) if (values[index]! > values[best]!) best = index;
  return best;
};

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, index) => size === b[index]);

/** True when `|got - want| <= absolute + relative * |want|` for every value; NaN never passes. */
function valuesAgree(
  got: ArrayLike<number | bigint>,
  want: readonly number[],
  tolerance: Tolerance,
): boolean {
  if (got.length !== want.length) return false;
  return want.every((wanted, index) => {
    const distance = Math.abs(Number(got[index]) - wanted);
    return distance <= tolerance.absolute + tolerance.relative * Math.abs(wanted);
  });
}

/**
 * Whether one case is reproduced: every wanted output there with its shape and values within tolerance, and the
 * first one with the same arg max in each row of its last dimension.
 */
export function caseAgrees(
  got: readonly TensorValue[],
  want: readonly GoldenTensor[],
  tolerance: Tolerance,
): boolean {
  return want.every((wanted, position) => {
    const found = got.find((output) => output.name === wanted.name);
    if (!found || found.datatype !== wanted.datatype || !sameShape(found.shape, wanted.shape)) return false;
    const raw = found.data as ArrayLike<number | bigint>;
    const data = found.datatype === "FP16" ? Array.from(raw, (bits) => halfToNumber(Number(bits))) : raw;
    if (!valuesAgree(data, wanted.data, tolerance)) return false;
    return position > 0 || sameClasses(data, wanted);
  });
}

function sameClasses(got: ArrayLike<number | bigint>, want: GoldenTensor): boolean {
  const width = want.shape.at(-1) ?? 1;
  const values = Array.from(got, Number);
  for (let start = 0; start < values.length; start += width) {
    const end = start + width;
    if (argMax(values.slice(start, end)) !== argMax(want.data.slice(start, end))) return false;
  }
  return true;
}

/** Whether enough cases agree. `agreed` of none of 0 cases never passes. */
export const goldenPasses = (agreed: number, cases: number, minAgreement: number): boolean =>
  cases > 0 && agreed / cases >= minAgreement;

const mismatch = (model: LoadedModel, reason: string, cause?: unknown) =>
  new MusterError(
    "model.golden-mismatch",
    `Model ${model.deployment.name} ${model.deployment.version} (${model.deployment.variant}): ${reason}`,
    { cause },
  );

/** How a model did on its golden set. */
export interface Agreement {
  readonly agreed: number;
  readonly cases: number;
  /** Share that the set asks for, 0 to 1. */
  readonly minAgreement: number;
  /** Inputs of each case, as the model takes them. */
  readonly inputs: readonly (readonly TensorValue[])[];
}

/**
 * Runs the model over its golden set.
 * @throws MusterError `model.golden-mismatch` when the set does not fit the model
 */
export async function goldenAgreement(model: LoadedModel): Promise<Agreement> {
  const set = await readGolden(model);
  const all: TensorValue[][] = [];
  let agreed = 0;
  for (const [index, { inputs, outputs }] of set.cases.entries()) {
    let got: TensorValue[];
    try {
      const values = decodeInputs(model, inputs);
      got = await model.run(
        values,
        outputs.map(({ name }) => requireOutput(model, name)),
      );
      all.push(values);
    } catch (error) {
      throw mismatch(model, `golden case ${index} cannot be run: ${(error as Error).message}`, error);
    }
    if (caseAgrees(got, outputs, set.tolerance)) agreed += 1;
  }
  return { agreed, cases: set.cases.length, minAgreement: set.minAgreement, inputs: all };
}

/** Too few cases agree. */
export const goldenMismatch = (
  model: LoadedModel,
  { agreed, cases, minAgreement }: Pick<Agreement, "agreed" | "cases" | "minAgreement">,
): MusterError =>
  mismatch(model, `${agreed} of ${cases} golden cases agree; ${minAgreement * 100} % are needed.`);

/**
 * Proves that the model computes what its golden set says, and where it has to.
 * @returns the number of cases
 * @throws MusterError `model.golden-mismatch` when too few cases agree or the set does not fit the model,
 *   `model.placement`
 */
export async function proveGolden(model: LoadedModel): Promise<number> {
  const { agreed, cases, minAgreement, inputs } = await goldenAgreement(model);
  if (!goldenPasses(agreed, cases, minAgreement))
    throw goldenMismatch(model, { agreed, cases, minAgreement });
  await provePlacement(model.deployment, inputs[0]!);
  return cases;
}

/**
 * Inputs of the first cases, with the tolerance within which outputs count as the same.
 * @throws MusterError `model.golden-mismatch` when the set does not fit the model
 */
export async function goldenSamples(
  model: LoadedModel,
  cases: number,
): Promise<{ readonly inputs: readonly (readonly TensorValue[])[]; readonly tolerance: Tolerance }> {
  const set = await readGolden(model);
  try {
    const inputs = set.cases.slice(0, cases).map((each) => decodeInputs(model, each.inputs));
    return { inputs, tolerance: set.tolerance };
  } catch (error) {
    throw mismatch(model, `a golden case cannot be run: ${(error as Error).message}`, error);
  }
}

const isShare = (value: unknown): value is number => typeof value === "number" && value >= 0 && value <= 1;
const isTolerance = (value: unknown): boolean => typeof value === "number" && value >= 0;

/** Checked by hand: the schema library would cost the runner memory for its whole life. */
async function readGolden(model: LoadedModel): Promise<GoldenSet> {
  let set: GoldenSet;
  try {
    set = JSON.parse(await readFile(model.deployment.goldenPath, "utf8"));
  } catch (cause) {
    throw mismatch(model, `the golden set cannot be read: ${(cause as Error).message}`, cause);
  }
  const fits =
    set?.schema === "muster.golden/1" &&
    isShare(set.minAgreement) &&
    isTolerance(set.tolerance?.absolute) &&
    isTolerance(set.tolerance?.relative) &&
    Array.isArray(set.cases) &&
    set.cases.every((each) => isTensorList(each?.inputs) && isTensorList(each?.outputs));
  if (!fits) throw mismatch(model, "the golden set does not have the shape of muster.golden/1.");
  return set;
}

const isTensorList = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every(
    (tensor) => typeof tensor?.name === "string" && Array.isArray(tensor.shape) && Array.isArray(tensor.data),
  );

function decodeInputs(model: LoadedModel, tensors: readonly GoldenTensor[]): TensorValue[] {
  const symbols = new Map<string, number>();
  return model.inputs.map((spec) => {
    const tensor = tensors.find(({ name }) => name === spec.name);
    if (!tensor) throw new MusterError("inference.invalid", `input '${spec.name}' is missing.`);
    if (!isDatatype(tensor.datatype) || tensor.datatype !== spec.datatype)
      throw new MusterError("inference.invalid", `input '${spec.name}' is not ${spec.datatype}.`);
    const shape = checkShape(spec, tensor.shape, symbols);
    return {
      name: spec.name,
      datatype: spec.datatype,
      shape,
      data: dataOf(spec, shape, tensor.data),
    };
  });
}

/** The protocol has no JSON form of half floats; golden sets hold them as the numbers that they stand for. */
function dataOf(
  { name, datatype }: TensorSpec,
  shape: readonly number[],
  data: readonly number[],
): TensorData {
  if (datatype !== "FP16") return decodeJsonData(name, datatype, shape, data);
  if (data.length !== elementCount(name, shape))
    throw new MusterError("inference.invalid", `input '${name}' has ${data.length} values.`);
  return Uint16Array.from(data, toHalf);
}

function requireOutput(model: LoadedModel, name: string): string {
  if (!model.outputs.some((spec) => spec.name === name))
    throw new MusterError("inference.invalid", `the model has no output '${name}'.`);
  return name;
}
