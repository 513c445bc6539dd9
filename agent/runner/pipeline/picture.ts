import { asMusterError, MusterError } from "@muster/shared/errors";
import type { BeforeStep, StepOf } from "@muster/shared/protocol/serving/pipeline";
import type sharpModule from "sharp";
import { type Placement, place, type Size } from "./placement.ts";
import { Turnstile } from "./turnstile.ts";

const DEFAULT_MAX_PIXELS = 2 ** 24;
const DEFAULT_PAD = 114;
/** Longest decoding of one picture, seconds. */
const DECODE_SECONDS = 10;
/** Pictures that are decoded at a time: each holds all its pixels. */
const DECODERS = 2;
const WAITING = 64;

type Sharp = typeof sharpModule;

let loading: Promise<Sharp> | undefined;
const turnstile = new Turnstile(DECODERS, WAITING);

/**
 * Loads the decoder: some 20 MiB that a runner without pictures does not spend.
 * @throws MusterError `inference.unsupported` where this platform has no build of it
 */
export const loadDecoder = (): Promise<Sharp> => {
  loading ??= import("sharp").then(
    ({ default: sharp }) => {
      sharp.concurrency(1);
      sharp.cache(false);
      return sharp;
    },
    (cause) => {
      loading = undefined;
      throw new MusterError(
        "inference.unsupported",
        `Pictures cannot be decoded on this box: ${cause.message}`,
        { cause },
      );
    },
  );
  return loading;
};

/** Decoded 8-bit RGB, interleaved, with where it came to lie. */
export interface Picture {
  readonly rgb: Uint8Array;
  readonly placement: Placement;
}

/**
 * Decodes a JPEG or PNG and brings it to the size asked for. Its header is looked at first: what has too many
 * pixels is never decoded.
 * @throws MusterError `media.invalid`, `media.too-large`, `inference.overloaded` when too many wait
 */
export async function decodePicture(
  body: Uint8Array,
  { maxPixels = DEFAULT_MAX_PIXELS, orient = true }: StepOf<BeforeStep, "decode-image">,
  resize: StepOf<BeforeStep, "resize"> | undefined,
): Promise<Picture> {
  if (!isJpeg(body) && !isPng(body)) throw invalid("The body is no JPEG and no PNG.");
  const sharp = await loadDecoder();
  return turnstile.pass(async () => {
    try {
      const image = sharp(body, { failOn: "error", limitInputPixels: maxPixels, sequentialRead: true });
      const size = await sizeOf(image, orient, maxPixels);
      const frame = resize ? { width: resize.width, height: resize.height } : size;
      const placement = place(size, frame, resize?.fit ?? "stretch");
      if (orient) image.autoOrient();
      if (resize) resizeTo(image, placement, resize);
      const { data, info } = await image
        .timeout({ seconds: DECODE_SECONDS })
        .toColourspace("srgb")
        .removeAlpha()
        .raw({ depth: "uchar" })
        .toBuffer({ resolveWithObject: true });
      if (info.channels !== 3) throw invalid(`The picture has ${info.channels} channels.`);
      return { rgb: data, placement };
    } catch (cause) {
      throw asMusterError(cause, "media.invalid");
    }
  });
}

const invalid = (message: string) => new MusterError("media.invalid", message);

const startsWith = (body: Uint8Array, magic: readonly number[]): boolean =>
  magic.every((byte, index) => body[index] === byte);
const isJpeg = (body: Uint8Array): boolean => startsWith(body, [0xff, 0xd8, 0xff]);
const isPng = (body: Uint8Array): boolean =>
  startsWith(body, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

async function sizeOf(image: sharpModule.Sharp, orient: boolean, maxPixels: number): Promise<Size> {
  const metadata = await image.metadata().catch((cause: Error) => {
    if (/pixel limit/.test(cause.message)) throw tooLarge(maxPixels);
    throw cause;
  });
  if (metadata.width * metadata.height > maxPixels) throw tooLarge(maxPixels);
  return orient ? metadata.autoOrient : { width: metadata.width, height: metadata.height };
}

const tooLarge = (maxPixels: number) =>
  new MusterError("media.too-large", `The picture has more than ${maxPixels} pixels.`);

function resizeTo(
  image: sharpModule.Sharp,
  { scaled, frame, left, top }: Placement,
  { filter = "linear", pad = DEFAULT_PAD, fit }: StepOf<BeforeStep, "resize">,
): void {
  image.resize({
    ...scaled,
    fit: "fill",
    kernel: filter,
    // Reading a JPEG at a half or less is faster and not what the model was trained on.
    fastShrinkOnLoad: false,
  });
  if (fit === "crop") image.extract({ left: -left, top: -top, ...frame });
  if (fit === "fit") {
    const [right, bottom] = [frame.width - scaled.width - left, frame.height - scaled.height - top];
    image.extend({ left, top, right, bottom, background: { r: pad, g: pad, b: pad, alpha: 1 } });
  }
}
