import type { Graph, GraphNode } from "../onnx/graph.ts";
import { floats, integers, scalar } from "../onnx/tensor.ts";
import { addToLogits } from "./add-to-logits.ts";

const WIDTH = 16;
/** Loop turns of one inference; each costs some microseconds of dispatch on any CPU. */
const SLOW_TURNS = 130_000;

/**
 * The same outputs, far later: a long loop over a state that starts from the input, whose result is added to
 * the logits with weight zero. It depends on the input, so no optimizer may fold it away.
 */
export function slowVersion(graph: Graph, turns = SLOW_TURNS): Graph {
  const input = graph.inputs[0]!.name;
  const mixing = Float32Array.from({ length: WIDTH * WIDTH }, (_, i) => Math.sin(i) / WIDTH);
  const body: Graph = {
    name: "turn",
    inputs: [
      { name: "turn", type: "int64", dims: [] },
      { name: "go_on", type: "bool", dims: [] },
      { name: "state", type: "float32", dims: [1, WIDTH] },
    ],
    outputs: [
      { name: "go_on_next", type: "bool", dims: [] },
      { name: "state_next", type: "float32", dims: [1, WIDTH] },
    ],
    nodes: [
      { op: "Identity", inputs: ["go_on"], outputs: ["go_on_next"] },
      { op: "MatMul", inputs: ["state", "slow_mixing"], outputs: ["state_mixed"] },
      { op: "Tanh", inputs: ["state_mixed"], outputs: ["state_next"] },
    ],
    constants: [],
  };
  const branch: GraphNode[] = [
    { op: "ReduceMean", inputs: [input], outputs: ["slow_mean"], attributes: { keepdims: { int: 0 } } },
    { op: "Expand", inputs: ["slow_mean", "slow_shape"], outputs: ["slow_start"] },
    {
      op: "Loop",
      inputs: ["slow_turns", "", "slow_start"],
      outputs: ["slow_end"],
      attributes: { body: { graph: body } },
    },
    {
      op: "ReduceMean",
      inputs: ["slow_end"],
      outputs: ["slow_result"],
      attributes: { keepdims: { int: 0 } },
    },
    { op: "Mul", inputs: ["slow_result", "slow_weight"], outputs: ["slow_nothing"] },
  ];
  return addToLogits(graph, "slow_nothing", branch, [
    floats("slow_mixing", [WIDTH, WIDTH], mixing),
    integers("slow_shape", [1, WIDTH]),
    { ...integers("slow_turns", [turns]), dims: [] },
    scalar("slow_weight", 0),
  ]);
}
