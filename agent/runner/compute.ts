import { asMusterError } from "@muster/shared/errors";
import type { Call, Infer, Inferred } from "./infer.ts";
import type { Scheduler } from "./scheduler.ts";
import { verdictsOf } from "./verdict.ts";

/** Runs the model; its first output is computed in any case because the verdict comes from it. */
async function compute({ model, request }: Call, receivedAt: number): Promise<Inferred> {
  const asked = request.outputs.map(({ name }) => name);
  const first = model.outputs[0]!.name;
  const cpu = process.cpuUsage();
  const start = performance.now();
  const measured = () => {
    const { user, system } = process.cpuUsage(cpu);
    return {
      latencyUs: Math.round((performance.now() - start) * 1000),
      queueUs: Math.round((start - receivedAt) * 1000),
      cpuUs: user + system,
      batchRows: 1,
      by: model.deployment,
    };
  };
  try {
    const values = await model.run(request.inputs, asked.includes(first) ? asked : [...asked, first]);
    const verdicts = verdictsOf(
      values.find(({ name }) => name === first),
      model.deployment.labels,
    );
    return { ...measured(), values: values.slice(0, asked.length), verdicts };
  } catch (cause) {
    const error = asMusterError(cause, "inference.failed");
    const failure = { code: error.code, message: error.message.slice(0, 1000) };
    return { ...measured(), values: [], verdicts: [{ ok: false, top: null, failure }], error };
  }
}

export const scheduled =
  (scheduler: Scheduler): Infer =>
  (call) =>
    scheduler.run(() => compute(call, call.receivedAt));
