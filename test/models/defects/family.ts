import type { ModelFamily } from "../family.ts";
import { DEFECT_LABELS, SIDE, surfaceImage } from "./image.ts";

/** Finds surface defects on brushed metal from a small grayscale picture. */
export const defects: ModelFamily = {
  name: "defects",
  labels: DEFECT_LABELS,
  face: { input: "image", dims: [1, SIDE, SIDE], output: "probabilities" },
  plan: {
    height: SIDE,
    width: SIDE,
    offset: 0.5,
    scale: 5,
    layers: [
      { layer: "convolution", filters: 8, kernel: [5, 5], stride: [2, 2] },
      { layer: "convolution", filters: 12, kernel: [3, 3], stride: [2, 2] },
      { layer: "convolution", filters: 16, kernel: [3, 3], stride: [2, 2] },
      { layer: "flatten" },
      { layer: "dense", units: 24 },
      { layer: "dense", units: 5 },
    ],
  },
  draw: surfaceImage,
  pipeline: {
    before: [
      { op: "decode-image", maxPixels: 1_000_000 },
      { op: "resize", width: SIDE, height: SIDE, fit: "stretch" },
      { op: "color", to: "gray" },
      { op: "normalize", scale: 1 / 255 },
      { op: "layout", to: "NCHW" },
    ],
    after: [{ op: "top-k", k: 3, keep: true }],
  },
  seed: 2,
  training: [
    { steps: 1_000, batch: 16, rate: 0.005 },
    { steps: 700, batch: 16, rate: 0.004 },
  ],
  thresholds: {
    reject: { minConfidence: 0.7, labels: ["scratch", "pit", "edge-chip"] },
    review: { minConfidence: 0.4, labels: ["stain"] },
  },
};
