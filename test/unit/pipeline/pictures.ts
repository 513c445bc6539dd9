import { createRequire } from "node:module";
import { deflateSync } from "node:zlib";

/** As much of sharp as the tests write pictures with. */
interface Image {
  toColourspace(name: "b-w"): Image;
  withMetadata(metadata: { orientation: number }): Image;
  png(): Image;
  jpeg(options?: { quality: number }): Image;
  toBuffer(): Promise<Buffer>;
}

/** The agent's own build of it. */
const sharp = createRequire(createRequire(import.meta.url).resolve("@muster/agent/main"))("sharp") as (
  pixels: Uint8Array,
  options: { raw: { width: number; height: number; channels: number } },
) => Image;

type Channels = 1 | 3 | 4;

const raw = (width: number, height: number, channels: Channels, pixels: Uint8Array) =>
  sharp(pixels, { raw: { width, height, channels } });

export const png = (width: number, height: number, channels: Channels, pixels: Uint8Array): Promise<Buffer> =>
  (channels === 1 ? raw(width, height, 1, pixels).toColourspace("b-w") : raw(width, height, channels, pixels))
    .png()
    .toBuffer();

export const jpeg = (width: number, height: number, pixels: Uint8Array): Promise<Buffer> =>
  raw(width, height, 3, pixels).jpeg({ quality: 95 }).toBuffer();

/** A JPEG that its camera took on its side. */
export const orientedJpeg = (width: number, height: number): Promise<Buffer> =>
  raw(width, height, 3, new Uint8Array(width * height * 3).fill(80))
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toBuffer();

/** A PNG of a few hundred bytes that says it has these many pixels, all zero. */
export function bomb(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 0, 0, 0, 0], 8);
  const data = deflateSync(Buffer.alloc(1_000_000));
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", header),
    chunk("IDAT", data),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

/** CRC of ISO 3309, as the chunks of a PNG carry it. */
function crc32(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
