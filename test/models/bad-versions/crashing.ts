import type { Graph, GraphNode } from "../onnx/graph.ts";
import { type ConstantTensor, scalar } from "../onnx/tensor.ts";
import { addToLogits } from "./add-to-logits.ts";

/**
 * Right for quiet inputs, fatal for strong ones: when the mean magnitude of the input is above `limit`, the
 * graph divides -2^31 by -1 in int32. ONNX Runtime 1.30 guards integer division against zero only; on x64 this
 * quotient traps and the process dies of SIGFPE. arm64 wraps it to -2^31, which a loop then takes for its count
 * of turns: there the process hangs in native code until it is killed. The golden set of this version holds
 * quiet inputs, as one recorded on an idle machine would, so only live traffic finds the fault.
 */
export function crashingVersion(graph: Graph, limit: number): Graph {
  const branch: GraphNode[] = [
    { op: "Abs", inputs: [graph.inputs[0]!.name], outputs: ["crash_size"] },
    {
      op: "ReduceMean",
      inputs: ["crash_size"],
      outputs: ["crash_mean"],
      attributes: { keepdims: { int: 0 } },
    },
    { op: "Greater", inputs: ["crash_mean", "crash_limit"], outputs: ["crash_strong"] },
    { op: "Cast", inputs: ["crash_strong"], outputs: ["crash_on"], attributes: { to: { int: 6 } } },
    { op: "Mul", inputs: ["crash_on", "crash_lowest"], outputs: ["crash_dividend"] },
    { op: "Mul", inputs: ["crash_on", "crash_minus_two"], outputs: ["crash_step"] },
    { op: "Add", inputs: ["crash_step", "crash_one"], outputs: ["crash_divisor"] },
    { op: "Div", inputs: ["crash_dividend", "crash_divisor"], outputs: ["crash_quotient"] },
    { op: "Cast", inputs: ["crash_quotient"], outputs: ["crash_wide"], attributes: { to: { int: 7 } } },
    { op: "Abs", inputs: ["crash_wide"], outputs: ["crash_turns"] },
    {
      op: "Loop",
      inputs: ["crash_turns", "", "crash_nothing"],
      outputs: ["crash_end"],
      attributes: { body: { graph: IDLE_TURN } },
    },
  ];
  return addToLogits(graph, "crash_end", branch, [
    scalar("crash_limit", limit),
    scalar("crash_nothing", 0),
    int32("crash_lowest", -(2 ** 31)),
    int32("crash_minus_two", -2),
    int32("crash_one", 1),
  ]);
}

const IDLE_TURN: Graph = {
  name: "idle_turn",
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
    { op: "Sin", inputs: ["state"], outputs: ["state_next"] },
  ],
  constants: [],
};

/** Mean magnitude, the number that `crashingVersion` compares with its limit. */
export const magnitude = (data: Float32Array): number =>
  data.reduce((sum, value) => sum + Math.abs(value), 0) / data.length;

const int32 = (name: string, value: number): ConstantTensor => ({
  name,
  type: "int32",
  dims: [],
  data: Int32Array.of(value),
});
