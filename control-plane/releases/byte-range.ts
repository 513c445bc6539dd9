/** A longer header is no range that anybody would ask for, and would take long to read. */
const LONGEST_RANGE = 200;

/** What a request asks for of a representation: all of it, a part, or a part that it does not have. */
export type ByteRange = "all" | "unsatisfiable" | { start: number; end: number };

export interface RangeRequest {
  range: string | undefined;
  ifRange: string | undefined;
}

/**
 * Reads `Range` and `If-Range` (RFC 9110 sections 13.1.5 and 14). One byte range is served; several ranges, other
 * units, malformed ranges and an `If-Range` that is not the strong entity tag get all of it, as the RFC allows.
 * @param size of the representation, bytes
 * @param etag strong entity tag, with its quotes
 */
export function requestedRange({ range, ifRange }: RangeRequest, size: number, etag: string): ByteRange {
  if (range === undefined || range.length > LONGEST_RANGE) return "all";
  if (ifRange !== undefined && ifRange.trim() !== etag) return "all";
  const match = /^\s*bytes\s*=\s*(\d{0,15})\s*-\s*(\d{0,15})\s*$/i.exec(range);
  const [, first = "", last = ""] = match ?? [];
  if (!match || (first === "" && last === "")) return "all";
  if (first === "") {
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size - 1 };
  }
  const start = Number(first);
  const end = last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== "" && Number(last) < start) return "all";
  return start >= size ? "unsatisfiable" : { start, end };
}
