import { MusterError } from "@muster/shared/errors";
import type { BeforeStep, StepOf } from "@muster/shared/protocol/serving/pipeline";

const DEFAULT_MAX_SAMPLES = 2 ** 20;
/** Frames that one signal may give: each is a row of the model's batch. */
const MAX_FRAMES = 1024;
/** Values of all frames of one signal: frames that overlap take many times its samples. */
const MAX_VALUES = 2 ** 24;

type SampleType = StepOf<BeforeStep, "decode-signal">["type"];

const READERS: Readonly<
  Record<SampleType, readonly [bytes: number, read: (view: DataView, at: number, little: boolean) => number]>
> = {
  int8: [1, (view, at) => view.getInt8(at)],
  uint8: [1, (view, at) => view.getUint8(at)],
  int16: [2, (view, at, little) => view.getInt16(at, little)],
  int32: [4, (view, at, little) => view.getInt32(at, little)],
  float32: [4, (view, at, little) => view.getFloat32(at, little)],
  float64: [8, (view, at, little) => view.getFloat64(at, little)],
};

/** Channels of equal length, one behind the other. */
export interface Signal {
  readonly channels: number;
  readonly data: Float32Array;
}

/** @throws MusterError `media.invalid` for part of a sample, `media.too-large` */
export function decodeSignal(
  body: Uint8Array,
  {
    type,
    endian = "little",
    channels = 1,
    maxSamples = DEFAULT_MAX_SAMPLES,
  }: StepOf<BeforeStep, "decode-signal">,
): Signal {
  const [bytes, read] = READERS[type];
  const whole = bytes * channels;
  if (body.byteLength === 0 || body.byteLength % whole !== 0)
    throw new MusterError(
      "media.invalid",
      `The signal has ${body.byteLength} bytes, which is no whole number of ${whole} (${type}, ${channels} channels).`,
    );
  const samples = body.byteLength / whole;
  if (samples * channels > maxSamples)
    throw new MusterError("media.too-large", `The signal has more than ${maxSamples} samples.`);
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const data = new Float32Array(samples * channels);
  const little = endian === "little";
  for (let channel = 0; channel < channels; channel++) {
    const start = channel * samples;
    for (let sample = 0; sample < samples; sample++)
      data[start + sample] = read(view, (sample * channels + channel) * bytes, little);
  }
  return { channels, data };
}

/** Weights of a frame, periodic (as for spectra), or null for none. */
export function taperOf(size: number, kind: "none" | "hann" | "hamming"): Float32Array | null {
  if (kind === "none") return null;
  const [base, swing] = kind === "hann" ? [0.5, 0.5] : [0.54, 0.46];
  return Float32Array.from({ length: size }, (_, at) => base - swing * Math.cos((2 * Math.PI * at) / size));
}

/**
 * Frames `[frames, channels, size]` of a signal.
 * @throws MusterError `media.invalid` when it is shorter than one frame, `media.too-large` for too many
 */
export function framesOf(
  { channels, data }: Signal,
  size: number,
  hop: number,
  taper: Float32Array | null,
): Float32Array {
  const samples = data.length / channels;
  if (samples < size)
    throw new MusterError(
      "media.invalid",
      `The signal has ${samples} samples in each channel; a frame needs ${size}.`,
    );
  const frames = Math.floor((samples - size) / hop) + 1;
  if (frames > MAX_FRAMES)
    throw new MusterError(
      "media.too-large",
      `The signal gives ${frames} frames; ${MAX_FRAMES} may come at once.`,
    );
  if (frames * channels * size > MAX_VALUES)
    throw new MusterError(
      "media.too-large",
      `The signal gives ${frames} frames of ${channels * size} values; all together may have ${MAX_VALUES}.`,
    );
  const out = new Float32Array(frames * channels * size);
  let to = 0;
  for (let frame = 0; frame < frames; frame++)
    for (let channel = 0; channel < channels; channel++, to += size) {
      const from = channel * samples + frame * hop;
      out.set(data.subarray(from, from + size), to);
      if (taper) for (let at = 0; at < size; at++) out[to + at] = out[to + at]! * taper[at]!;
    }
  return out;
}
