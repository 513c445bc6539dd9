import type { Datatype, NumericData } from "../tensors/datatypes.ts";
import { halfToNumber } from "./half-float.ts";

/** Element `index` of a tensor as a number; 64-bit integers lose what a double cannot hold. */
type Reader = (data: NumericData, index: number) => number;

const plain: Reader = (data, index) => data[index] as number;
const big: Reader = (data, index) => Number(data[index]);
const half: Reader = (data, index) => halfToNumber(data[index] as number);

/** How to read elements of a datatype; undefined for texts. */
export function readerOf(datatype: Datatype): Reader | undefined {
  if (datatype === "BYTES") return undefined;
  if (datatype === "FP16") return half;
  return datatype === "INT64" || datatype === "UINT64" ? big : plain;
}
