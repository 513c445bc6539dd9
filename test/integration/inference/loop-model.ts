import { encodeModel, type Graph } from "../../models/onnx/graph.ts";
import { scalar } from "../../models/onnx/tensor.ts";

const TURN: Graph = {
  name: "turn",
  inputs: [
    { name: "turn", type: "int64", dims: [] },
    { name: "go_on", type: "bool", dims: [] },
    { name: "state", type: "float32", dims: [] },
  ],
  outputs: [
    { name: "go_on_next", type: "bool", dims: [] },
    { name: "state_next", type: "float32", dims: [] },
  ],
  nodes: [
    { op: "Identity", inputs: ["go_on"], outputs: ["go_on_next"] },
    { op: "Cos", inputs: ["state"], outputs: ["state_next"] },
  ],
  constants: [],
};

/** Takes as many turns as its input says: quick for a few, and without an end for all that an int64 can say. */
export const loop = (): Uint8Array =>
  encodeModel({
    name: "loop",
    inputs: [{ name: "turns", type: "int64", dims: [1] }],
    outputs: [{ name: "end", type: "float32", dims: [] }],
    nodes: [
      { op: "Loop", inputs: ["turns", "", "start"], outputs: ["end"], attributes: { body: { graph: TURN } } },
    ],
    constants: [scalar("start", 0)],
  });

export const GOLDEN_LOOP = [
  {
    inputs: [{ name: "turns", datatype: "INT64", shape: [1], data: [1] }],
    outputs: [{ name: "end", datatype: "FP32", shape: [], data: [1] }],
  },
];
