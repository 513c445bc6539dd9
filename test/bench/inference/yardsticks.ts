import { execFile, fork } from "node:child_process";
import { once } from "node:events";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Load, load } from "./load.ts";
import type { BenchModel } from "./models.ts";
import { requestsOf } from "./requests.ts";

const childOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Latencies of bare runs of one row back to back, in a process of their own, milliseconds. */
export async function bareRuns(directory: string, model: BenchModel, seconds: number): Promise<number[]> {
  const path = join(directory, `bare-${model.name}.onnx`);
  await writeFile(path, model.bytes);
  const args = [childOf("bare-child.js"), path, model.dims.join(","), String(seconds)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 256 * 1024 * 1024 });
  return JSON.parse(stdout) as number[];
}

/** The same requests at the same number of clients, answered by an HTTP server that computes nothing. */
export async function idleServer(
  directory: string,
  model: BenchModel,
  clients: number,
  seconds: number,
): Promise<Load> {
  const socketPath = join(directory, "idle.sock");
  await rm(socketPath, { force: true });
  const child = fork(childOf("idle-server-child.js"), [socketPath, "200"]);
  try {
    await Promise.race([
      once(child, "message"),
      once(child, "exit").then(() => Promise.reject(new Error("no server"))),
    ]);
    return await load({ socketPath, requests: requestsOf(model), clients, seconds });
  } finally {
    child.kill();
    await once(child, "exit");
  }
}
