import { readFile } from "node:fs/promises";
import { InferenceSession, Tensor } from "onnxruntime-node";

/**
 * onnxruntime-node by itself, with the options that a runner uses: runs of one row back to back for some seconds.
 * Arguments: model file, input dimensions by comma, seconds. Prints latencies in milliseconds as JSON.
 */
const [path = "", dims = "", seconds = "1"] = process.argv.slice(2);
const session = await InferenceSession.create(await readFile(path), {
  executionProviders: ["cpu"],
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  logSeverityLevel: 3,
  extra: { session: { intra_op: { allow_spinning: "0" }, inter_op: { allow_spinning: "0" } } },
});
const shape = [1, ...dims.split(",").map(Number)];
const data = new Float32Array(shape.reduce((product, size) => product * size, 1)).map((_, index) =>
  Math.sin(index),
);
const latencies: number[] = [];
for (let warm = 0; warm < 50; warm++) await session.run({ x: new Tensor("float32", data, shape) });
const end = performance.now() + Number(seconds) * 1000;
let now = performance.now();
while (now < end) {
  await session.run({ x: new Tensor("float32", data, shape) });
  const then = performance.now();
  latencies.push(then - now);
  now = then;
}
process.stdout.write(JSON.stringify(latencies), () => process.exit(0));
