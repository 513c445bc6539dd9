import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LoadedModel } from "../../models/runtime.ts";

/** How often each operator ran for one input, after all optimizations, by ONNX Runtime's own profile. */
export async function executedOperators(
  model: Uint8Array,
  dims: readonly number[],
  data: Float32Array,
): Promise<Map<string, number>> {
  const folder = await mkdtemp(join(tmpdir(), "muster-profile-"));
  try {
    const loaded = await LoadedModel.load(model, dims, {
      enableProfiling: true,
      profileFilePrefix: join(folder, "profile"),
    });
    await loaded.run(data);
    loaded.session.endProfiling();
    await loaded.close();
    const [file] = await readdir(folder);
    const events = JSON.parse(await readFile(join(folder, file!), "utf8")) as {
      name: string;
      args?: { op_name?: string };
    }[];
    const counts = new Map<string, number>();
    for (const { name, args } of events) {
      if (!name.endsWith("_kernel_time") || args?.op_name === undefined) continue;
      counts.set(args.op_name, (counts.get(args.op_name) ?? 0) + 1);
    }
    return counts;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
