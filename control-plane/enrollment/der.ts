import { MusterError } from "@muster/shared/errors";

/** One element of DER (X.690). */
export interface DerElement {
  readonly tag: number;
  readonly content: Buffer;
  /** Header and content. */
  readonly whole: Buffer;
}

const malformed = (why: string): MusterError =>
  new MusterError("certificate.invalid", `The certificate is malformed: ${why}.`);

/**
 * Reads the element at the beginning of the bytes; the rest may be anything.
 * @throws MusterError `certificate.invalid`
 */
export function readElement(bytes: Buffer): DerElement {
  const tag = bytes[0];
  const first = bytes[1];
  if (tag === undefined || first === undefined) throw malformed("it ends within a header");
  if ((tag & 0x1f) === 0x1f) throw malformed("it has a tag of several bytes");
  let header = 2;
  let length = first;
  if (first >= 0x80) {
    const size = first & 0x7f;
    if (size < 1 || size > 3 || bytes.length < 2 + size)
      throw malformed("it has a length that cannot be read");
    length = bytes.readUIntBE(2, size);
    if (length < 0x80 || (size > 1 && bytes[2] === 0))
      throw malformed("a length is not the shortest there is");
    header += size;
  }
  if (bytes.length < header + length) throw malformed("an element is longer than what is there");
  return {
    tag,
    content: bytes.subarray(header, header + length),
    whole: bytes.subarray(0, header + length),
  };
}

/** Most parts of one element: certificates have far fewer. */
const MOST_PARTS = 64;

/** The elements that one holds. @throws MusterError `certificate.invalid` */
export function partsOf({ content }: DerElement): DerElement[] {
  const parts: DerElement[] = [];
  for (let rest = content; rest.length > 0; ) {
    if (parts.length === MOST_PARTS) throw malformed("an element has too many parts");
    const part = readElement(rest);
    parts.push(part);
    rest = rest.subarray(part.whole.length);
  }
  return parts;
}
