/** Tag of a SEQUENCE, which every certificate is (X.690, 8.9). */
const SEQUENCE = 0x30;
/** No certificate is so long that its length takes more than two bytes. */
const TWO_BYTES = 0x82;
const ONE_BYTE = 0x81;

/** Bytes of the DER value that begins here; undefined where none does, or where it is cut off. */
function derLength(bytes: Buffer): number | undefined {
  if (bytes.length < 4 || bytes[0] !== SEQUENCE) return undefined;
  const first = bytes.readUInt8(1);
  const length =
    first < 0x80
      ? 2 + first
      : first === ONE_BYTE
        ? 3 + bytes.readUInt8(2)
        : first === TWO_BYTES
          ? 4 + bytes.readUInt16BE(2)
          : undefined;
  return length !== undefined && length <= bytes.length ? length : undefined;
}

/** Certificates one behind the other; what follows the last, such as the filling of NV memory, is dropped. */
export function certificatesIn(bytes: Buffer): Buffer[] {
  const certificates: Buffer[] = [];
  let rest = bytes;
  for (let length = derLength(rest); length !== undefined; length = derLength(rest)) {
    certificates.push(rest.subarray(0, length));
    rest = rest.subarray(length);
  }
  return certificates;
}
