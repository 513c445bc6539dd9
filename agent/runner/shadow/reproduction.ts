import { readFile } from "node:fs/promises";
import type { LoadedModel } from "../model.ts";
import type { TensorValue } from "../tensors/datatypes.ts";

/** Distance from a wanted value that still counts as the same: `absolute + relative * |wanted|`. */
export interface Tolerance {
  readonly absolute: number;
  readonly relative: number;
}

/** What the release says of its golden outputs; the file was checked when they were proven. */
export async function toleranceOf({ deployment }: LoadedModel): Promise<Tolerance> {
  const { tolerance } = JSON.parse(await readFile(deployment.goldenPath, "utf8")) as { tolerance: Tolerance };
  return tolerance;
}

/** True where every wanted tensor is there with its type, its shape and its values within the tolerance. */
export const reproduces = (
  got: readonly TensorValue[],
  wanted: readonly TensorValue[],
  tolerance: Tolerance,
): boolean =>
  wanted.every((tensor) => {
    const found = got.find(({ name }) => name === tensor.name);
    return (
      found !== undefined &&
      found.datatype === tensor.datatype &&
      found.shape.join() === tensor.shape.join() &&
      valuesAgree(found, tensor, tolerance)
    );
  });

function valuesAgree(got: TensorValue, wanted: TensorValue, tolerance: Tolerance): boolean {
  if (got.data.length !== wanted.data.length) return false;
  const exact = got.datatype === "BYTES" || got.datatype === "FP16";
  for (let index = 0; index < wanted.data.length; index += 1) {
    const [a, b] = [got.data[index], wanted.data[index]];
    if (a === b) continue;
    if (exact || !isWithin(Number(a), Number(b), tolerance)) return false;
  }
  return true;
}

/** NaN is within of NaN only: what both cannot say is the same. */
const isWithin = (got: number, wanted: number, { absolute, relative }: Tolerance): boolean =>
  (Number.isNaN(got) && Number.isNaN(wanted)) ||
  Math.abs(got - wanted) <= absolute + relative * Math.abs(wanted);
