import { MusterError } from "@muster/shared/errors";

/** A message between two runners: a JSON head with the data that it describes behind it. */
export interface Frame {
  readonly head: unknown;
  readonly body: Buffer;
}

/** Lengths of head and body, 4 bytes each, little-endian. */
const PREFIX_BYTES = 8;
/** Largest head, bytes. */
const MOST_HEAD = 1024 * 1024;

/** The parts of a frame in the order in which they are written; data is not copied. */
export function frameParts(head: object, body: readonly Uint8Array[]): Uint8Array[] {
  const text = Buffer.from(JSON.stringify(head), "utf8");
  const prefix = Buffer.allocUnsafe(PREFIX_BYTES);
  prefix.writeUInt32LE(text.byteLength, 0);
  prefix.writeUInt32LE(
    body.reduce((sum, { byteLength }) => sum + byteLength, 0),
    4,
  );
  return [Buffer.concat([prefix, text]), ...body];
}

/** Puts frames together from the chunks of a stream. */
export class FrameReader {
  readonly #mostBody: number;
  #chunks: Buffer[] = [];
  #bytes = 0;

  /** @param mostBody largest body, bytes */
  constructor(mostBody: number) {
    this.#mostBody = mostBody;
  }

  /** @throws MusterError `wire.oversized`, `wire.malformed`; nothing can be read from the stream any more then */
  push(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk);
    this.#bytes += chunk.byteLength;
    const frames: Frame[] = [];
    for (let frame = this.#take(); frame; frame = this.#take()) frames.push(frame);
    return frames;
  }

  #take(): Frame | undefined {
    if (this.#bytes < PREFIX_BYTES) return undefined;
    const [first] = this.#chunks;
    const start = first && first.byteLength >= PREFIX_BYTES ? first : this.#joined();
    const headBytes = start.readUInt32LE(0);
    const bodyBytes = start.readUInt32LE(4);
    if (headBytes > MOST_HEAD || bodyBytes > this.#mostBody)
      throw new MusterError("wire.oversized", `A frame has ${headBytes} and ${bodyBytes} bytes.`);
    const end = PREFIX_BYTES + headBytes + bodyBytes;
    if (this.#bytes < end) return undefined;
    const all = this.#joined();
    const bodyStart = PREFIX_BYTES + headBytes;
    const text = all.toString("utf8", PREFIX_BYTES, bodyStart);
    const body = all.subarray(bodyStart, end);
    this.#chunks = all.byteLength > end ? [all.subarray(end)] : [];
    this.#bytes = all.byteLength - end;
    try {
      return { head: JSON.parse(text), body };
    } catch (cause) {
      throw new MusterError("wire.malformed", "The head of a frame is not JSON.", { cause });
    }
  }

  #joined(): Buffer {
    const [first, ...others] = this.#chunks;
    const all = first && others.length === 0 ? first : Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }
}
