import { MusterError } from "@muster/shared/errors";
import type { TensorSpec } from "./datatypes.ts";

/** Dimensions that no tensor of ours exceeds. */
const MAX_RANK = 32;

const isDimension = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;

/**
 * The shape of a request's tensor, checked against the model's. `symbols` collects the sizes that symbolic
 * dimensions take, so that one name means one size over all inputs.
 * @throws MusterError `inference.invalid`
 */
export function checkShape(
  spec: TensorSpec,
  shape: unknown,
  symbols: Map<string, number>,
  maxRank = MAX_RANK,
): number[] {
  if (Array.isArray(shape) && shape.length > maxRank)
    throw new MusterError("inference.invalid", `Tensor '${spec.name}' has more than ${maxRank} dimensions.`);
  if (!Array.isArray(shape) || !shape.every(isDimension))
    throw new MusterError(
      "inference.invalid",
      `The shape of tensor '${spec.name}' is not a list of integers of 0 or more.`,
    );
  const expected = `[${spec.shape.map((size) => (typeof size === "string" ? -1 : size)).join(", ")}]`;
  const mismatch = () =>
    new MusterError(
      "inference.invalid",
      `Tensor '${spec.name}' has shape [${shape.join(", ")}]; the model takes ${expected}.`,
    );
  if (shape.length !== spec.shape.length) throw mismatch();
  for (const [index, size] of shape.entries()) {
    const declared = spec.shape[index]!;
    if (typeof declared === "number") {
      if (declared !== size) throw mismatch();
      continue;
    }
    const known = declared === "" ? undefined : symbols.get(declared);
    if (known !== undefined && known !== size)
      throw new MusterError(
        "inference.invalid",
        `Dimension '${declared}' is ${known} in one input and ${size} in '${spec.name}'.`,
      );
    symbols.set(declared, size);
  }
  return shape;
}

/**
 * The shape that raw bytes of one tensor have where the model leaves at most one dimension open.
 * @throws MusterError `inference.invalid` when more are open or the size does not fit
 */
export function shapeOfRaw(spec: TensorSpec, elements: number): number[] {
  const open = spec.shape.filter((size) => typeof size === "string").length;
  if (open > 1)
    throw new MusterError(
      "inference.invalid",
      `A raw request cannot tell the shape of '${spec.name}': ${open} of its dimensions vary.`,
    );
  const fixed = spec.shape.reduce<number>(
    (product, size) => (typeof size === "number" ? product * size : product),
    1,
  );
  const rest = fixed === 0 ? 0 : elements / fixed;
  if (!Number.isInteger(rest) || (open === 0 && rest !== 1))
    throw new MusterError(
      "inference.invalid",
      `The body has ${elements} elements, which is no whole number of times ${fixed} as '${spec.name}' needs.`,
    );
  return spec.shape.map((size) => (typeof size === "number" ? size : rest));
}

/**
 * Rows are what the first of several dimensions counts where the model lets it vary.
 * @throws MusterError `inference.invalid` for more than `most`
 */
export function checkRows(spec: TensorSpec, shape: readonly number[], most: number): void {
  if (spec.shape.length > 1 && typeof spec.shape[0] === "string" && shape[0]! > most)
    throw new MusterError(
      "inference.invalid",
      `Tensor '${spec.name}' has ${shape[0]} rows; ${most} are computed at a time.`,
    );
}
