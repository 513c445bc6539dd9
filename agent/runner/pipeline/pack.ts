/** How 8-bit RGB pixels become the values of a tensor, in one pass. */
export interface PackPlan {
  readonly order: "rgb" | "bgr" | "gray";
  /** Channel by channel (NCHW), or pixel by pixel (NHWC). */
  readonly planar: boolean;
  /** What each of the 256 values becomes, for each channel of the result; null keeps bytes. */
  readonly tables: readonly Float32Array[] | null;
}

/** Tables of `(value * scale - mean) / std`. Lists have one entry, or one for each channel. */
export function normalizeTables(
  channels: number,
  scale: number,
  mean: readonly number[],
  std: readonly number[],
): Float32Array[] {
  const entry = (list: readonly number[], channel: number) => list[list.length === 1 ? 0 : channel]!;
  return Array.from({ length: channels }, (_, channel) =>
    Float32Array.from(
      { length: 256 },
      (_, value) => (value * scale - entry(mean, channel)) / entry(std, channel),
    ),
  );
}

/** Luma of ITU-R BT.601 in 16-bit fixed point; equal channels keep their value. */
const luma = (red: number, green: number, blue: number): number =>
  (red * 19_595 + green * 38_470 + blue * 7_471 + 32_768) >> 16;

/** @param rgb interleaved, three bytes a pixel */
export function packPixels(rgb: Uint8Array, { order, planar, tables }: PackPlan): Uint8Array | Float32Array {
  const source = order === "gray" ? grayOf(rgb) : rgb;
  const channels = order === "gray" ? 1 : 3;
  const pixels = source.length / channels;
  // Bytes in the order that they have already are given as they are.
  if (!tables && order !== "bgr" && (!planar || channels === 1)) return source;
  const out = tables ? new Float32Array(source.length) : new Uint8Array(source.length);
  const [pixelStep, channelStep] = planar ? [1, pixels] : [channels, 1];
  for (let channel = 0; channel < channels; channel++) {
    const from = order === "bgr" ? 2 - channel : channel;
    const to = channel * channelStep;
    if (out instanceof Float32Array) look(source, from, channels, out, to, pixelStep, tables![channel]!);
    else copy(source, from, channels, out, to, pixelStep);
  }
  return out;
}

function grayOf(rgb: Uint8Array): Uint8Array {
  const out = new Uint8Array(rgb.length / 3);
  for (let pixel = 0, at = 0; pixel < out.length; pixel++, at += 3)
    out[pixel] = luma(rgb[at]!, rgb[at + 1]!, rgb[at + 2]!);
  return out;
}

// One loop for each type of array: a loop that meets both is five times slower.

function look(
  source: Uint8Array,
  from: number,
  fromStep: number,
  out: Float32Array,
  to: number,
  toStep: number,
  table: Float32Array,
): void {
  for (let at = from, place = to; at < source.length; at += fromStep, place += toStep)
    out[place] = table[source[at]!]!;
}

function copy(
  source: Uint8Array,
  from: number,
  fromStep: number,
  out: Uint8Array,
  to: number,
  toStep: number,
): void {
  for (let at = from, place = to; at < source.length; at += fromStep, place += toStep)
    out[place] = source[at]!;
}
