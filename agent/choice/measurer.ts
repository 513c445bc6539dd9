import { writeFileSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { asMusterError } from "@muster/shared/errors";
import type { Measured } from "@muster/shared/protocol/choice";
import { measurePlacement } from "../runner/backend/placement.ts";
import { type Agreement, goldenAgreement, goldenMismatch, goldenPasses } from "../runner/golden.ts";
import { holdKeys } from "../runner/key-ring.ts";
import { loadModel } from "../runner/model.ts";
import { benchmark } from "./bench.ts";
import type { FromMeasurer, MeasureRequest, Step } from "./measurement.ts";

/*
 * The process in which one variant is measured on one provider. It is thrown away afterwards, so that whatever the
 * provider does to it harms nobody, and what it leaves behind does not count for the next one.
 */

const MIB = 1024 * 1024;

const tell = (message: FromMeasurer): Promise<void> =>
  new Promise((resolve) => (process.send ? process.send(message, () => resolve()) : resolve()));

let step: Step = "start";
const enter = (next: Step): void => {
  step = next;
  void tell({ kind: "step", step });
};

/** What is served now goes first, for the processor and when memory runs out. */
function standBack(): void {
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
    writeFileSync("/proc/self/oom_score_adj", "1000");
  } catch {
    // Where the system does not let it, it measures as it is.
  }
}

async function measure({ deployment, benchMs, keys }: MeasureRequest): Promise<Measured> {
  holdKeys(keys);
  const rssBefore = process.memoryUsage.rss();
  enter("load");
  const start = performance.now();
  const model = await loadModel(deployment);
  const loadMs = Math.round(performance.now() - start);
  enter("golden");
  const agreement = await goldenAgreement(model);
  const { agreed, cases, minAgreement } = agreement;
  if (!goldenPasses(agreed, cases, minAgreement)) throw goldenMismatch(model, agreement);
  enter("latency");
  const times = await benchmark(model, agreement, benchMs);
  const memoryMiB = Math.max(0, Math.round((model.usage().rssBytes - rssBefore) / MIB));
  await model.close();
  enter("placement");
  const placement = await placementOf(deployment, agreement);
  return { loadMs, ...times, agreement: agreed / cases, placement, memoryMiB };
}

async function placementOf(
  deployment: MeasureRequest["deployment"],
  { inputs }: Agreement,
): Promise<number | null> {
  const share = await measurePlacement(deployment, inputs[0]!);
  return share === null ? null : Math.round(share * 1000) / 1000;
}

process.title = "muster-measurer";
process.once("disconnect", () => process.exit(0));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
process.once("message", async (request: MeasureRequest) => {
  standBack();
  try {
    await tell({ kind: "done", measured: await measure(request) });
  } catch (error) {
    const { code, message } = asMusterError(error);
    await tell({ kind: "done", failure: { code, message: message.slice(0, 1000) }, step });
  }
  process.exit(0);
});
void tell({ kind: "up" });
