import type { Graph } from "../onnx/graph.ts";
import { pick, type Random } from "../training/random.ts";

/**
 * Weights shuffled within each tensor, in either precision: the file is whole, loads and answers in time, and
 * its answers are those of chance.
 */
export function inaccurateVersion(graph: Graph, random: Random): Graph {
  const constants = graph.constants.map((constant) => {
    if (!/^weights_\d+$/.test(constant.name)) return constant;
    const data = constant.data.slice();
    for (let last = data.length - 1; last > 0; last--) {
      const other = pick(random, last + 1);
      [data[last], data[other]] = [data[other]!, data[last]!];
    }
    return { ...constant, data };
  });
  return { ...graph, constants };
}
