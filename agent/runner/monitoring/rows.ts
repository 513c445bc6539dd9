import type { Call, Inferred } from "../infer.ts";

/**
 * Rows of a request, each of which is one inference: as many as the model gave verdicts, else the leading dimension
 * that all inputs share where the model leaves it open. A tensor with another leading dimension is one row.
 */
export function rowsOf({ model, request }: Call, { verdicts }: Inferred): number {
  if (verdicts.length > 1) return verdicts.length;
  const [first] = request.inputs;
  const rows = first?.shape[0] ?? 1;
  if (rows <= 1) return 1;
  const batched = request.inputs.every(
    ({ name, shape }) =>
      shape.length > 1 &&
      shape[0] === rows &&
      typeof model.inputs.find((spec) => spec.name === name)?.shape[0] === "string",
  );
  return batched ? rows : 1;
}
