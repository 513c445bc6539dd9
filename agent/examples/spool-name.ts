import { sha256 } from "@muster/shared/trust/digest";

/** What the name of a spooled example says, so that nobody has to open it to choose. */
export interface SpoolName {
  readonly file: string;
  /** Highest score, in millionths: the lower, the harder. */
  readonly confidence: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Bytes. */
  readonly size: number;
}

const PATTERN = /^(\d{7})-(\d{13,16})-(\d{1,9})-[0-9a-f]{16}\.example$/;
const MOST = 1_000_000;

/** The name of an example: of two with the same content it is the same. */
export function spoolName(confidence: number, at: number, bytes: Uint8Array): SpoolName {
  const millionths = Math.round(Math.min(1, Math.max(0, confidence)) * MOST);
  const hex = sha256(bytes).slice("sha256:".length, "sha256:".length + 16);
  const file = `${String(millionths).padStart(7, "0")}-${String(at).padStart(13, "0")}-${bytes.byteLength}-${hex}.example`;
  return { file, confidence: millionths, at, size: bytes.byteLength };
}

/** Undefined for a file that is no spooled example. */
export function parseSpoolName(file: string): SpoolName | undefined {
  const [, confidence, at, size] = PATTERN.exec(file) ?? [];
  return size === undefined
    ? undefined
    : { file, confidence: Number(confidence), at: Number(at), size: Number(size) };
}

/** The hardest first; of equals the newest. What stands last goes first when there is no room. */
export const byHardness = (a: SpoolName, b: SpoolName): number => a.confidence - b.confidence || b.at - a.at;
