import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MusterError } from "@muster/shared/errors";
import type { ModelDeployment } from "../../inference/deployment.ts";
import { labelOf, reasonOf } from "../model-file.ts";
import type { TensorValue } from "../tensors/datatypes.ts";
import { openOnnx } from "./onnx.ts";

/** Nodes of a graph by the provider that ran them. */
export type Placement = ReadonlyMap<string, number>;

interface ProfileEvent {
  cat?: string;
  name?: string;
  args?: { provider?: string; op_name?: string };
}

/** `CPUExecutionProvider` is `cpu`. */
const providerOf = (name: string): string => name.replace(/ExecutionProvider$/, "").toLowerCase();

/**
 * What a profile of one inference says: each node of the graph as it ran, fused ones as one. Copies between the
 * memories of two providers are the runtime's own and not nodes of the model.
 */
export function placementIn(events: readonly ProfileEvent[]): Placement {
  const nodes = new Map<string, number>();
  for (const { cat, name, args } of events) {
    if (cat !== "Node" || !name?.endsWith("_kernel_time") || !args?.provider) continue;
    if (args.op_name?.startsWith("Memcpy")) continue;
    const provider = providerOf(args.provider);
    nodes.set(provider, (nodes.get(provider) ?? 0) + 1);
  }
  return nodes;
}

/** Share of the nodes, 0 to 1, that ran elsewhere than on the CPU; on the CPU itself those that ran there. */
export function placementShare(placement: Placement, provider: string): number {
  const total = [...placement.values()].reduce((sum, count) => sum + count, 0);
  const onCpu = placement.get("cpu") ?? 0;
  if (total === 0) return 0;
  return (provider === "cpu" ? onCpu : total - onCpu) / total;
}

/**
 * Runs one inference in a session of its own that keeps a profile. The profile goes to a folder of its own that is
 * removed in any case.
 * @throws MusterError as loading and running
 */
async function profilePlacement(
  deployment: ModelDeployment,
  inputs: readonly TensorValue[],
): Promise<Placement> {
  const folder = await mkdtemp(join(tmpdir(), "muster-profile-"));
  try {
    const { session, outputs, run } = await openOnnx(deployment, { profilePrefix: join(folder, "profile") });
    try {
      await run(
        inputs,
        outputs.map(({ name }) => name),
      );
      session.endProfiling();
    } finally {
      await session.release();
    }
    const [file] = await readdir(folder);
    return placementIn(JSON.parse(await readFile(join(folder, file ?? ""), "utf8")) as ProfileEvent[]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Share of the graph's nodes, 0 to 1, that run on the provider; null for an external runtime, which does not tell.
 * @throws MusterError `model.placement` when that is less than the variant asks for
 */
export async function measurePlacement(
  deployment: ModelDeployment,
  inputs: readonly TensorValue[],
): Promise<number | null> {
  const { provider, minPlacement = 1, runtime } = deployment;
  if (runtime) return null;
  let share: number;
  try {
    share = placementShare(await profilePlacement(deployment, inputs), provider);
  } catch (cause) {
    throw new MusterError(
      "model.placement",
      `${labelOf(deployment)}: what ran where cannot be told: ${reasonOf(cause)}`,
      { cause },
    );
  }
  if (share < minPlacement && provider !== "cpu")
    throw new MusterError(
      "model.placement",
      `${labelOf(deployment)}: ${Math.round(share * 100)} % of the nodes run on ${provider}; ${Math.round(minPlacement * 100)} % are needed.`,
    );
  return share;
}

/**
 * Proves that as much of the graph runs on the provider as the variant asks for. Where it asks for all of it, the
 * session itself refuses to be made otherwise, and nothing is left to prove.
 * @throws MusterError `model.placement`
 */
export async function provePlacement(
  deployment: ModelDeployment,
  inputs: readonly TensorValue[],
): Promise<void> {
  const { provider, minPlacement = 1 } = deployment;
  if (provider !== "cpu" && minPlacement < 1) await measurePlacement(deployment, inputs);
}
