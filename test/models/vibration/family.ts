import type { ModelFamily } from "../family.ts";
import { VIBRATION_LABELS, vibrationWindow, WINDOW } from "./signal.ts";

/** Classifies bearing and shaft faults from a raw window of an accelerometer. */
export const vibration: ModelFamily = {
  name: "vibration",
  labels: VIBRATION_LABELS,
  face: { input: "signal", dims: [1, WINDOW], output: "probabilities" },
  plan: {
    height: 1,
    width: WINDOW,
    offset: 0,
    scale: 3,
    layers: [
      { layer: "convolution", filters: 8, kernel: [1, 20], stride: [1, 4] },
      { layer: "convolution", filters: 12, kernel: [1, 20], stride: [1, 4] },
      { layer: "convolution", filters: 16, kernel: [1, 5], stride: [1, 2] },
      { layer: "flatten" },
      { layer: "dense", units: 24 },
      { layer: "dense", units: 6 },
    ],
  },
  draw: vibrationWindow,
  // Thousandths of the sensor's unit, as its converter gives them.
  pipeline: {
    before: [
      { op: "decode-signal", type: "int16" },
      { op: "normalize", scale: 0.001 },
      { op: "window", size: WINDOW },
    ],
    after: [{ op: "argmax" }],
  },
  seed: 1,
  training: [
    { steps: 1_200, batch: 16, rate: 0.005 },
    { steps: 900, batch: 16, rate: 0.004 },
  ],
  thresholds: {
    alarm: { minConfidence: 0.8, consecutiveWindows: 5 },
    stopMachine: { labels: ["inner-race", "outer-race"], minConfidence: 0.95, consecutiveWindows: 50 },
  },
};
