import { MusterError } from "@muster/shared/errors";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const ZERO = 0x30;
/** Bytes of a number that is not written as an integer: `.`, `e`, `E`, `+`. */
const PARTS = [0x2e, 0x65, 0x45, 0x2b];
/** Digits that every double has: an integer of more may be rounded by a reader of JSON. */
const EXACT_DIGITS = 15;

/** Begins the text that stands for an integer too long for a double. No other use of this character makes sense. */
const MARK = "\u0001";
const MARK_IN_JSON = '"\\u0001';

const invalid = (message: string, cause?: unknown) =>
  new MusterError("inference.invalid", message, { cause });

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;

/**
 * Reads JSON of at most `maxDepth` levels. Integers with more than 15 digits keep all of them when `exactIntegers` is
 * set: `exactInteger` reads what they become.
 * @throws MusterError `inference.invalid`
 */
export function readJson(bytes: Buffer, maxDepth: number, exactIntegers = false): unknown {
  const long = scan(bytes, maxDepth, exactIntegers);
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(
      long.length === 0 ? bytes : marked(bytes, long),
    );
    return JSON.parse(text);
  } catch (cause) {
    throw invalid("The request is not JSON.", cause);
  }
}

/** Starts and ends of long integers, in turn; nothing when they are not asked for. */
function scan(bytes: Buffer, maxDepth: number, exactIntegers: boolean): number[] {
  const long: number[] = [];
  let depth = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) {
      at = endOfText(bytes, at);
    } else if (byte === 0x5b || byte === 0x7b) {
      depth += 1;
      if (depth > maxDepth)
        throw invalid(`The request has more than ${maxDepth} levels of lists and objects.`);
    } else if (byte === 0x5d || byte === 0x7d) {
      depth -= 1;
    } else if (exactIntegers && isDigit(byte)) {
      let end = at;
      while (end < bytes.length && isDigit(bytes[end]!)) end += 1;
      if (end - at > EXACT_DIGITS && isInteger(bytes, at, end))
        long.push(bytes[at - 1] === MINUS ? at - 1 : at, end);
      at = end - 1;
    }
  }
  return long;
}

/** Whether these digits are all of a number: no fraction or exponent belongs to them, and no zero leads. */
function isInteger(bytes: Buffer, start: number, end: number): boolean {
  const before = bytes[start - 1];
  const first = before === MINUS ? bytes[start - 2] : before;
  return (
    bytes[start] !== ZERO && ![first, bytes[end]].some((byte) => byte !== undefined && PARTS.includes(byte))
  );
}

/** Index of the quote that ends the text which begins at `start`; the last byte when none does. */
function endOfText(bytes: Buffer, start: number): number {
  let end = start;
  for (;;) {
    end = bytes.indexOf(QUOTE, end + 1);
    if (end === -1) return bytes.length;
    let backslashes = 0;
    while (bytes[end - 1 - backslashes] === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
}

function marked(bytes: Buffer, long: readonly number[]): Buffer {
  const parts: Buffer[] = [];
  let from = 0;
  for (let index = 0; index < long.length; index += 2) {
    const [start, end] = [long[index]!, long[index + 1]!];
    parts.push(
      bytes.subarray(from, start),
      Buffer.from(MARK_IN_JSON),
      bytes.subarray(start, end),
      Buffer.from('"'),
    );
    from = end;
  }
  return Buffer.concat([...parts, bytes.subarray(from)]);
}

/** A number, or all digits of an integer that no double holds; undefined for anything else. */
export function exactInteger(value: unknown): bigint | undefined {
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : undefined;
  if (typeof value === "bigint") return value;
  if (typeof value !== "string" || !value.startsWith(MARK)) return undefined;
  return /^-?\d{1,32}$/.test(value.slice(1)) ? BigInt(value.slice(1)) : undefined;
}

/** A number as a double, however many digits it was written with; undefined for anything else. */
export function asDouble(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  return typeof value === "string" && value.startsWith(MARK) ? Number(value.slice(1)) : undefined;
}
