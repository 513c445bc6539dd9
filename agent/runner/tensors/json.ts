import { MusterError } from "@muster/shared/errors";
import { DATATYPES, type Datatype, elementCount, type TensorData } from "./datatypes.ts";

const INTEGER_RANGES: Readonly<Partial<Record<Datatype, readonly [number, number]>>> = {
  UINT8: [0, 2 ** 8 - 1],
  UINT16: [0, 2 ** 16 - 1],
  UINT32: [0, 2 ** 32 - 1],
  UINT64: [0, Number.MAX_SAFE_INTEGER],
  INT8: [-(2 ** 7), 2 ** 7 - 1],
  INT16: [-(2 ** 15), 2 ** 15 - 1],
  INT32: [-(2 ** 31), 2 ** 31 - 1],
  INT64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
};

const invalid = (message: string) => new MusterError("inference.invalid", message);

/** Nested lists become one flat list, row-major; a list that is flat already is taken as it is. */
function flatten(name: string, data: unknown, shape: readonly number[]): readonly unknown[] {
  if (!Array.isArray(data)) throw invalid(`Tensor '${name}' has no list 'data'.`);
  const count = elementCount(name, shape);
  if (!Array.isArray(data[0])) {
    if (data.length !== count)
      throw invalid(
        `Tensor '${name}' has ${data.length} values; its shape [${shape.join(", ")}] needs ${count}.`,
      );
    return data;
  }
  const flat: unknown[] = [];
  const visit = (part: unknown, axis: number) => {
    if (axis === shape.length) {
      flat.push(part);
    } else {
      if (!Array.isArray(part) || part.length !== shape[axis])
        throw invalid(`The nested data of tensor '${name}' does not have the shape [${shape.join(", ")}].`);
      for (const child of part) visit(child, axis + 1);
    }
  };
  visit(data, 0);
  return flat;
}

type ElementReader = (value: unknown) => number | bigint | string | undefined;

/** Reads one element, or gives undefined for a value that the datatype cannot hold. */
function readerOf(datatype: Datatype): ElementReader {
  if (datatype === "BOOL")
    return (value) => (value === true || value === 1 ? 1 : value === false || value === 0 ? 0 : undefined);
  if (datatype === "BYTES") return (value) => (typeof value === "string" ? value : undefined);
  if (datatype === "FP64")
    return (value) => (typeof value === "number" && Number.isFinite(value) ? value : undefined);
  if (datatype === "FP32")
    return (value) => (typeof value === "number" && Number.isFinite(Math.fround(value)) ? value : undefined);
  const [low, high] = INTEGER_RANGES[datatype]!;
  const wide = datatype === "INT64" || datatype === "UINT64";
  return (value) => {
    if (!Number.isInteger(value) || (value as number) < low || (value as number) > high) return undefined;
    return wide ? BigInt(value as number) : (value as number);
  };
}

/**
 * Tensor data from a JSON request, flat or nested. 64-bit integers beyond 2^53 are refused because JSON readers
 * round them; they can be sent as binary data.
 * @throws MusterError `inference.invalid`
 */
export function decodeJsonData(
  name: string,
  datatype: Datatype,
  shape: readonly number[],
  data: unknown,
): TensorData {
  if (datatype === "FP16") throw invalid(`Tensor '${name}' is FP16, which can only be sent as binary data.`);
  const flat = flatten(name, data, shape);
  const out = DATATYPES[datatype].allocate(flat.length) as (number | bigint | string)[];
  const read = readerOf(datatype);
  for (let index = 0; index < flat.length; index++) {
    const element = read(flat[index]);
    if (element === undefined)
      throw invalid(
        `Value ${index} of tensor '${name}' is ${describe(flat[index])}, which ${datatype} cannot hold in JSON.`,
      );
    out[index] = element;
  }
  return out as TensorData;
}

const describe = (value: unknown): string => {
  const text = Array.isArray(value) ? "a list" : (JSON.stringify(value) ?? "missing");
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
};

/**
 * JSON text of a flat data list. 64-bit integers keep all their digits. FP16 is never asked for in JSON.
 * @throws MusterError `inference.failed` for values that JSON cannot carry
 */
export function encodeJsonData(name: string, datatype: Datatype, data: TensorData): string {
  if (datatype === "BYTES") return JSON.stringify(data);
  if (datatype === "BOOL") return `[${Array.from(data as Uint8Array, (value) => value !== 0).join(",")}]`;
  if (datatype === "FP32" || datatype === "FP64") {
    for (const value of data as Float64Array)
      if (!Number.isFinite(value))
        throw new MusterError(
          "inference.failed",
          `Output '${name}' holds ${value}, which JSON cannot carry; ask for it with the parameter binary_data.`,
        );
  }
  return `[${(data as Float64Array).join(",")}]`;
}
