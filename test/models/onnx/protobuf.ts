const encoder = new TextEncoder();

const VARINT = 0;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;

/**
 * Writes one Protocol Buffers message (wire format of proto2 and proto3), field by field in call order.
 * Only what ONNX files need: varints, 32-bit floats, strings, bytes and nested messages.
 */
export class ProtobufMessage {
  readonly #bytes: Uint8Array[] = [];
  #length = 0;

  /** Signed integer of up to 53 bits; negative values take ten bytes, as the format asks. */
  integer(field: number, value: number): this {
    return this.#append(varint(tag(field, VARINT)), varint(BigInt.asUintN(64, BigInt(value))));
  }

  float(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    return this.#append(varint(tag(field, FIXED32)), bytes);
  }

  text(field: number, value: string): this {
    return this.bytes(field, encoder.encode(value));
  }

  bytes(field: number, value: Uint8Array): this {
    return this.#append(varint(tag(field, LENGTH_DELIMITED)), varint(BigInt(value.length)), value);
  }

  message(field: number, value: ProtobufMessage): this {
    return this.bytes(field, value.encode());
  }

  encode(): Uint8Array {
    const out = new Uint8Array(this.#length);
    let offset = 0;
    for (const part of this.#bytes) {
      out.set(part, offset);
      offset += part.length;
    }
    return out;
  }

  #append(...parts: Uint8Array[]): this {
    for (const part of parts) {
      this.#bytes.push(part);
      this.#length += part.length;
    }
    return this;
  }
}

const tag = (field: number, wireType: number): bigint => BigInt((field << 3) | wireType);

function varint(value: bigint): Uint8Array {
  const out: number[] = [];
  let rest = value;
  while (rest > 127n) {
    out.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  out.push(Number(rest));
  return Uint8Array.from(out);
}
