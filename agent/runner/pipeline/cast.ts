import { DATATYPES, type Datatype, type NumericData } from "../tensors/datatypes.ts";
import { toHalf } from "./half.ts";

const RANGES: Readonly<Partial<Record<Datatype, readonly [number, number]>>> = {
  UINT8: [0, 255],
  INT8: [-128, 127],
  UINT16: [0, 65_535],
  INT16: [-32_768, 32_767],
  INT32: [-2_147_483_648, 2_147_483_647],
};

/** To the nearest integer, ties to even as ONNX rounds. */
function roundEven(value: number): number {
  const down = Math.floor(value);
  const rest = value - down;
  if (rest !== 0.5) return rest < 0.5 ? down : down + 1;
  return down % 2 === 0 ? down : down + 1;
}

/** Values as `datatype`: integers are rounded and saturate, NaN becomes 0 in them. The same data where it fits already. */
export function castTo(data: Uint8Array | Float32Array, datatype: Datatype): NumericData {
  const isSame = data instanceof Uint8Array ? datatype === "UINT8" : datatype === "FP32";
  if (isSame) return data;
  const out = DATATYPES[datatype].allocate(data.length) as Float32Array;
  const range = RANGES[datatype];
  if (datatype === "FP16") for (let at = 0; at < data.length; at++) out[at] = toHalf(data[at]!);
  else if (!range) out.set(data);
  else {
    const [low, high] = range;
    for (let at = 0; at < data.length; at++) {
      const value = data[at]!;
      out[at] = Number.isNaN(value) ? 0 : roundEven(value < low ? low : value > high ? high : value);
    }
  }
  return out;
}
