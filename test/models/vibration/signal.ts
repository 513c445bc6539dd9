import { between, gaussian, pick, type Random } from "../training/random.ts";
import type { Sample } from "../training/train.ts";

/** Accelerometer samples per second. */
const SAMPLE_RATE = 6_400;
/** Samples of one window: 80 ms, two to three turns of the shaft. */
export const WINDOW = 512;

export const VIBRATION_LABELS = ["healthy", "inner-race", "outer-race", "ball", "imbalance", "misalignment"];

/**
 * Rolling-element faults of a bearing with 9 balls: impacts per shaft turn (BPFI, BPFO and twice BSF of the
 * kinematic formulas, e.g. Randall and Antoni, Mech. Syst. Signal Process. 25:485, 2011), the speed that
 * modulates their strength per shaft turn (the shaft for the inner race, the cage for a ball, none for the
 * fixed outer race) and the band in which the struck part rings, hertz.
 */
const IMPACTS = [
  { label: 1, perTurn: 5.43, modulation: 1, ringing: [1_400, 2_000] },
  { label: 2, perTurn: 3.57, modulation: 0, ringing: [850, 1_450] },
  { label: 3, perTurn: 4.71, modulation: 0.4, ringing: [1_950, 2_700] },
] as const;

/**
 * One window of acceleration in g from a simulated machine at a random speed, load, phase and sensor noise, all
 * faults equally likely. Values are rounded to the 1 mg steps of the sensor.
 */
export function vibrationWindow(random: Random): Sample {
  const label = pick(random, VIBRATION_LABELS.length);
  const turns = between(random, 24, 36) / SAMPLE_RATE;
  const load = between(random, 0.75, 1.25);
  const signal = new Float64Array(WINDOW);
  addShaft(signal, label, turns, load, random);
  const impact = IMPACTS.find((fault) => fault.label === label);
  if (impact) addImpacts(signal, impact, turns, load, random);
  const noise = between(random, 0.03, 0.1);
  const data = new Float32Array(WINDOW);
  for (let i = 0; i < WINDOW; i++) {
    data[i] = Math.round((signal[i]! + noise * bellCurve(random)) * 1_000) / 1_000;
  }
  return { data, label };
}

/** Harmonics of the shaft: imbalance lifts the first, misalignment the second and third. */
function addShaft(signal: Float64Array, label: number, turns: number, load: number, random: Random): void {
  const strength = [
    label === 4 ? between(random, 0.28, 0.8) : between(random, 0.04, 0.22),
    label === 5 ? between(random, 0.2, 0.6) : between(random, 0.02, 0.14),
    label === 5 ? between(random, 0.06, 0.3) : between(random, 0.01, 0.08),
  ];
  for (const [index, amplitude] of strength.entries()) {
    addTone(signal, load * amplitude, 2 * Math.PI * (index + 1) * turns, random() * 2 * Math.PI);
  }
}

/** A train of impacts, each a decaying sine, with the slip of real rolling elements (2 % of the period). */
function addImpacts(
  signal: Float64Array,
  fault: (typeof IMPACTS)[number],
  turns: number,
  load: number,
  random: Random,
): void {
  const period = 1 / (fault.perTurn * turns);
  const strength = load * between(random, 0.36, 1);
  const ringing = (2 * Math.PI * between(random, fault.ringing[0], fault.ringing[1])) / SAMPLE_RATE;
  const decay = between(random, 0.06, 0.14);
  const depth = fault.modulation === 0 ? 0 : between(random, 0.5, 0.9);
  const phase = random() * 2 * Math.PI;
  for (let start = -random() * period; start < WINDOW; start += period * (1 + 0.02 * gaussian(random))) {
    const modulated =
      1 - depth * (0.5 + 0.5 * Math.cos(phase + 2 * Math.PI * fault.modulation * turns * start));
    const first = Math.max(0, Math.ceil(start));
    for (let i = first; i < WINDOW && i - start < 60; i++) {
      signal[i]! += strength * modulated * Math.exp(-decay * (i - start)) * Math.sin(ringing * (i - start));
    }
  }
}

/** amplitude * sin(phase + step * i), by rotating a phasor: a sine per sample would be half the build time. */
function addTone(signal: Float64Array, amplitude: number, step: number, phase: number): void {
  const [turnReal, turnImaginary] = [Math.cos(step), Math.sin(step)];
  let real = amplitude * Math.cos(phase);
  let imaginary = amplitude * Math.sin(phase);
  for (let i = 0; i < WINDOW; i++) {
    signal[i]! += imaginary;
    const next = real * turnReal - imaginary * turnImaginary;
    imaginary = real * turnImaginary + imaginary * turnReal;
    real = next;
  }
}

/** Near-normal noise of unit variance: the sum of four uniforms, much cheaper than a logarithm per sample. */
const bellCurve = (random: Random): number => (random() + random() + random() + random() - 2) * Math.sqrt(3);
