import type { Graph, GraphNode } from "../onnx/graph.ts";

/** Puts `value + logits` in place of the logits, after the nodes that make `value`. */
export function addToLogits(
  graph: Graph,
  value: string,
  branch: readonly GraphNode[],
  constants: Graph["constants"],
): Graph {
  const nodes = graph.nodes.flatMap((node): GraphNode[] =>
    node.op === "Softmax"
      ? [
          ...branch,
          { op: "Add", inputs: [...node.inputs, value], outputs: ["logits_sum"] },
          { ...node, inputs: ["logits_sum"] },
        ]
      : [node],
  );
  return { ...graph, nodes, constants: [...graph.constants, ...constants] };
}
