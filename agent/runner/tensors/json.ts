import { MusterError } from "@muster/shared/errors";
import { tooLong } from "./binary.ts";
import { DATATYPES, type Datatype, elementCount, type TensorData } from "./datatypes.ts";
import { asDouble, exactInteger } from "./json-text.ts";

const INTEGER_RANGES: Readonly<Partial<Record<Datatype, readonly [number, number]>>> = {
  UINT8: [0, 2 ** 8 - 1],
  UINT16: [0, 2 ** 16 - 1],
  UINT32: [0, 2 ** 32 - 1],
  INT8: [-(2 ** 7), 2 ** 7 - 1],
  INT16: [-(2 ** 15), 2 ** 15 - 1],
  INT32: [-(2 ** 31), 2 ** 31 - 1],
};

const WIDE_RANGES: Readonly<Partial<Record<Datatype, readonly [bigint, bigint]>>> = {
  UINT64: [0n, 2n ** 64n - 1n],
  INT64: [-(2n ** 63n), 2n ** 63n - 1n],
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
  if (datatype === "FP64" || datatype === "FP32")
    return (value) => {
      const number = asDouble(value);
      if (number === undefined) return undefined;
      return Number.isFinite(datatype === "FP32" ? Math.fround(number) : number) ? number : undefined;
    };
  const wide = WIDE_RANGES[datatype];
  if (wide)
    return (value) => {
      const integer = exactInteger(value);
      return integer !== undefined && integer >= wide[0] && integer <= wide[1] ? integer : undefined;
    };
  const [low, high] = INTEGER_RANGES[datatype]!;
  return (value) =>
    Number.isInteger(value) && (value as number) >= low && (value as number) <= high
      ? (value as number)
      : undefined;
}

/** Bytes of a text, without counting those of a short one. */
const isLonger = (text: string, most: number): boolean =>
  text.length > most || (text.length * 3 > most && Buffer.byteLength(text) > most);

/**
 * Tensor data from a JSON request, flat or nested, that `readJson` has read.
 * @param elementBytes longest element of BYTES
 * @throws MusterError `inference.invalid`
 */
export function decodeJsonData(
  name: string,
  datatype: Datatype,
  shape: readonly number[],
  data: unknown,
  elementBytes = Number.POSITIVE_INFINITY,
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
    if (typeof element === "string" && isLonger(element, elementBytes))
      throw tooLong(name, index, elementBytes);
    out[index] = element;
  }
  return out as TensorData;
}

const describe = (value: unknown): string => {
  const text = Array.isArray(value) ? "a list" : (JSON.stringify(value) ?? "missing");
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
};

/** Values of one output in JSON: their text takes several times their bytes. */
const MOST_VALUES = 4 * 1024 * 1024;

/**
 * JSON text of a flat data list. 64-bit integers keep all their digits. FP16 is never asked for in JSON.
 * @throws MusterError `inference.failed` for values that JSON cannot carry, `inference.invalid` for more than 4,194,304
 */
export function encodeJsonData(name: string, datatype: Datatype, data: TensorData): string {
  if (data.length > MOST_VALUES)
    throw invalid(
      `Output '${name}' has ${data.length} values, more than ${MOST_VALUES}; ask for it with the parameter binary_data.`,
    );
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
