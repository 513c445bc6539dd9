import type { GoldenSet } from "@muster/shared/protocol/model-evidence";
import type { LoadedModel } from "../runtime.ts";
import { argMax } from "./features.ts";

/** Share of golden cases that `model` reproduces, 0 to 1, by the rule of `GoldenSet`. */
export async function goldenAgreement(model: LoadedModel, golden: GoldenSet): Promise<number> {
  let passed = 0;
  for (const { inputs, outputs } of golden.cases) {
    const got = await model.run(Float32Array.from(inputs[0]!.data));
    const want = Float32Array.from(outputs[0]!.data);
    const { absolute, relative } = golden.tolerance;
    const close = want.every(
      (value, i) => Math.abs(got[i]! - value) <= absolute + relative * Math.abs(value),
    );
    if (close && got.length === want.length && argMax(got) === argMax(want)) passed += 1;
  }
  return passed / golden.cases.length;
}

/** Class of each row of a softmax output. */
export const classesOf = (outputs: Float32Array, classes: number): number[] =>
  Array.from({ length: outputs.length / classes }, (_, row) =>
    argMax(outputs.subarray(row * classes, (row + 1) * classes)),
  );

/** Share of equal items, 0 to 1. */
export const agreement = (a: readonly number[], b: readonly number[]): number =>
  a.filter((value, index) => value === b[index]).length / a.length;
