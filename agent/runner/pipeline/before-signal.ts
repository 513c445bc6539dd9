import type { BeforeStep, StepOf } from "@muster/shared/protocol/serving/pipeline";
import { Fft, spectra } from "./fft.ts";
import type { Reader } from "./reader.ts";
import { Resampler } from "./resample.ts";
import { decodeSignal, framesOf, taperOf } from "./signal.ts";
import { standardize } from "./standardize.ts";

/** Values under way: `[channels, samples]`, or `[frames, channels, size]` once it is cut. */
interface Flow {
  readonly channels: number;
  readonly data: Float32Array;
  /** Length of one run of samples or bins. */
  readonly size: number;
  readonly isCut: boolean;
}

type Stage = (flow: Flow) => Flow;

/** The steps of a signal, checked before, one stage each. */
export function signalReader(steps: readonly BeforeStep[]): Reader {
  const [decode, ...rest] = steps as readonly [StepOf<BeforeStep, "decode-signal">, ...BeforeStep[]];
  let frameSize = 0;
  const stages = rest.map((step) => {
    if (step.op === "window") frameSize = step.size;
    return stageOf(step, frameSize);
  });
  return {
    accepts: ["application/x-muster-signal"],
    load: async () => {},
    async read(body) {
      const { channels, data } = decodeSignal(body, decode);
      const start: Flow = { channels, data, size: data.length / channels, isCut: false };
      const end = stages.reduce((flow, stage) => stage(flow), start);
      const rows = end.data.length / end.size;
      const shape = end.isCut ? [rows / channels, channels, end.size] : [channels, end.size];
      return { shape, data: end.data };
    },
  };
}

/** Cast and reshape are done to what the last stage gives. */
function stageOf(step: BeforeStep, frameSize: number): Stage {
  if (step.op === "resample") {
    const resampler = new Resampler(step.from, step.to);
    return (flow) => resampled(flow, resampler);
  }
  if (step.op === "window") {
    const { size, hop = size, taper = "none" } = step;
    const weights = taperOf(size, taper);
    return ({ channels, data }) => ({
      channels,
      data: framesOf({ channels, data }, size, hop, weights),
      size,
      isCut: true,
    });
  }
  if (step.op === "fft") {
    const fft = new Fft(frameSize);
    return (flow) => ({ ...flow, data: spectra(fft, flow.data, step.give), size: frameSize / 2 + 1 });
  }
  if (step.op === "normalize") return (flow) => normalized(flow, step);
  if (step.op === "standardize") return (flow) => ({ ...flow, data: standardize(flow.data, flow.size) });
  return (flow) => flow;
}

function resampled({ channels, data, size }: Flow, resampler: Resampler): Flow {
  const parts = Array.from({ length: channels }, (_, channel) =>
    resampler.apply(data.subarray(channel * size, (channel + 1) * size)),
  );
  const length = parts[0]!.length;
  const out = new Float32Array(channels * length);
  for (const [channel, part] of parts.entries()) out.set(part, channel * length);
  return { channels, data: out, size: length, isCut: false };
}

function normalized(flow: Flow, { scale = 1, mean = [0], std = [1] }: StepOf<BeforeStep, "normalize">): Flow {
  const { channels, data, size } = flow;
  const entry = (list: readonly number[], channel: number) => list[list.length === 1 ? 0 : channel]!;
  for (let row = 0; row * size < data.length; row++) {
    const channel = row % channels;
    const [offset, divisor] = [entry(mean, channel), entry(std, channel)];
    for (let at = row * size; at < (row + 1) * size; at++) data[at] = (data[at]! * scale - offset) / divisor;
  }
  return flow;
}
