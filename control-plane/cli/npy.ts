/** Type codes of NumPy by datatype of the Open Inference Protocol. */
const DESCRIPTIONS: Readonly<Record<string, string>> = {
  BOOL: "|b1",
  UINT8: "|u1",
  INT8: "|i1",
  UINT16: "<u2",
  INT16: "<i2",
  FP16: "<f2",
  UINT32: "<u4",
  INT32: "<i4",
  FP32: "<f4",
  UINT64: "<u8",
  INT64: "<i8",
  FP64: "<f8",
};

const ALIGNMENT = 64;
const PREFIX_BYTES = 10;

/**
 * A tensor as a file that `numpy.load` reads; undefined for texts.
 * Source: NumPy Enhancement Proposal 1, version 1.0 of the format.
 */
export function npyFile(
  datatype: string,
  shape: readonly number[],
  data: Uint8Array,
): Uint8Array | undefined {
  const description = DESCRIPTIONS[datatype];
  if (description === undefined) return undefined;
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const text = `{'descr': '${description}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const padded = Math.ceil((PREFIX_BYTES + text.length + 1) / ALIGNMENT) * ALIGNMENT - PREFIX_BYTES;
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.write("\x93NUMPY", "latin1");
  prefix.writeUInt8(1, 6);
  prefix.writeUInt16LE(padded, 8);
  return Buffer.concat([prefix, Buffer.from(`${text.padEnd(padded - 1)}\n`), data]);
}
