import { readFile } from "node:fs/promises";
import { MusterError } from "@muster/shared/errors";
import type { GoldenSet, GoldenTensor } from "@muster/shared/protocol/model-evidence";
import type { ModelDeployment } from "../inference/deployment.ts";
import type { LoadedModel } from "./model.ts";
import { isDatatype, type TensorSpec } from "./tensors/datatypes.ts";

/**
 * A model of which nothing is loaded because it kept killing its runner: it takes the requests that its golden set
 * shows, and fails on every one, so that its cascade answers.
 * @throws MusterError `model.load-failed` when the golden set cannot be read
 */
export async function standIn(deployment: ModelDeployment): Promise<LoadedModel> {
  const { name, version, goldenPath } = deployment;
  let set: GoldenSet;
  try {
    set = JSON.parse(await readFile(goldenPath, "utf8"));
  } catch (cause) {
    throw new MusterError("model.load-failed", `The golden set of ${name} ${version} cannot be read.`, {
      cause,
    });
  }
  return {
    deployment,
    inputs: specsOf(set.cases.map(({ inputs }) => inputs)),
    outputs: specsOf(set.cases.map(({ outputs }) => outputs)).map((spec) => withoutRows(spec, set)),
    run: async () => {
      throw new MusterError("inference.failed", `Model ${name} ${version} is not loaded: it kept failing.`);
    },
    usage: () => ({ cpuUs: 0, rssBytes: 0 }),
    close: async () => {},
  };
}

/** The first dimension, and any that differs between two cases, may have any size. */
function specsOf(cases: readonly (readonly GoldenTensor[])[]): TensorSpec[] {
  const [first = []] = cases;
  return first.flatMap(({ name, datatype, shape }) => {
    if (!isDatatype(datatype)) return [];
    const others = cases.flatMap((tensors) => tensors.filter((tensor) => tensor.name === name));
    const dims = shape.map((size, axis) =>
      axis > 0 && others.every((other) => other.shape[axis] === size) ? size : `${name}:${axis}`,
    );
    return [{ name, datatype, shape: dims }];
  });
}

/** Outputs of a size of their own, the same in every case, have no rows: a vector, a fixed number of boxes. */
function withoutRows(spec: TensorSpec, { cases }: GoldenSet): TensorSpec {
  const first = cases.map(({ inputs, outputs }) => ({
    rows: inputs[0]?.shape[0],
    size: outputs.find(({ name }) => name === spec.name)?.shape[0],
  }));
  const size = first[0]?.size;
  const isFixed = first.every((each) => each.size === size) && first.some(({ rows }) => rows !== size);
  return isFixed && size !== undefined ? { ...spec, shape: [size, ...spec.shape.slice(1)] } : spec;
}
