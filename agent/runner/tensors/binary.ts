import { MusterError } from "@muster/shared/errors";
import { DATATYPES, type Datatype, elementCount, type TensorData } from "./datatypes.ts";

const LENGTH_BYTES = 4;

/** An element of BYTES is beyond the limit. */
export const tooLong = (name: string, index: number, most: number) =>
  invalid(`Element ${index} of tensor '${name}' is longer than ${most} bytes.`);

const invalid = (message: string) => new MusterError("inference.invalid", message);

/**
 * Tensor data from its binary form: little-endian, row-major, BOOL as bytes 0 and 1, BYTES as elements that each
 * begin with their length in 4 bytes (binary tensor data extension of the Open Inference Protocol). Where the bytes
 * are aligned the result is a view of them, else a copy.
 * @param elementBytes longest element of BYTES
 * @throws MusterError `inference.invalid`
 */
export function decodeBinaryData(
  name: string,
  datatype: Datatype,
  shape: readonly number[],
  bytes: Uint8Array,
  elementBytes = Number.POSITIVE_INFINITY,
): TensorData {
  const count = elementCount(name, shape);
  if (datatype === "BYTES") return decodeElements(name, count, bytes, elementBytes);
  const expected = count * DATATYPES[datatype].size;
  if (bytes.byteLength !== expected)
    throw invalid(
      `Tensor '${name}' has ${bytes.byteLength} bytes of binary data; ${datatype} of shape [${shape.join(", ")}] needs ${expected}.`,
    );
  if (datatype === "BOOL" && bytes.some((value) => value > 1))
    throw invalid(`Tensor '${name}' is BOOL and has a byte that is neither 0 nor 1.`);
  const { size, view } = DATATYPES[datatype];
  if (bytes.byteOffset % size === 0) return view(bytes.buffer as ArrayBuffer, bytes.byteOffset, count);
  const copy = new Uint8Array(expected);
  copy.set(bytes);
  return view(copy.buffer, 0, count);
}

function decodeElements(name: string, count: number, bytes: Uint8Array, elementBytes: number): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const elements: string[] = [];
  let offset = 0;
  while (offset < bytes.byteLength) {
    const start = offset + LENGTH_BYTES;
    const end = start > bytes.byteLength ? Number.POSITIVE_INFINITY : start + view.getUint32(offset, true);
    if (end > bytes.byteLength) throw invalid(`Element ${elements.length} of tensor '${name}' is cut off.`);
    if (elements.length === count)
      throw invalid(`Tensor '${name}' has more elements than the ${count} of its shape.`);
    if (end - start > elementBytes) throw tooLong(name, elements.length, elementBytes);
    try {
      elements.push(decoder.decode(bytes.subarray(start, end)));
    } catch {
      throw invalid(
        `Element ${elements.length} of tensor '${name}' is not UTF-8, the only text this runtime takes.`,
      );
    }
    offset = end;
  }
  if (elements.length !== count)
    throw invalid(`Tensor '${name}' has ${elements.length} elements; its shape needs ${count}.`);
  return elements;
}

/** Elements in a raw body of one tensor. @throws MusterError `inference.invalid` when the last one is cut off */
export function rawElements(name: string, datatype: Datatype, bytes: Uint8Array): number {
  const { size } = DATATYPES[datatype];
  if (size === 0) return 1;
  if (bytes.byteLength % size !== 0)
    throw invalid(
      `The body has ${bytes.byteLength} bytes, which is no whole number of ${datatype} for '${name}'.`,
    );
  return bytes.byteLength / size;
}

/** The binary form of tensor data; numeric data is not copied. */
export function encodeBinaryData(data: TensorData): Uint8Array {
  if (!Array.isArray(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const parts = data.map((element) => {
    const text = Buffer.from(element, "utf8");
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32LE(text.byteLength);
    return Buffer.concat([length, text]);
  });
  return Buffer.concat(parts);
}
