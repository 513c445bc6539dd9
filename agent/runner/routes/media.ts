import type { IncomingHttpHeaders } from "node:http";
import { MusterError } from "@muster/shared/errors";
import type { Degraded } from "../infer.ts";
import type { InferRequest } from "../infer-request.ts";
import { encodeInferResponse, type InferResponse } from "../infer-response.ts";
import type { LoadedModel } from "../model.ts";
import { pipelineOf } from "../pipeline/of-model.ts";
import type { Placement } from "../pipeline/placement.ts";
import type { RequestLimits } from "../request-limits.ts";
import type { TensorValue } from "../tensors/datatypes.ts";

const TENSORS: ReadonlySet<string> = new Set(["application/json", "application/octet-stream"]);
const MEDIA = /^(?:image|audio|video)\/|^application\/x-muster-/;

/** The content type of a body that is a picture or signal and no tensors; undefined for tensors. */
export function mediaTypeOf(contentType: string | undefined): string | undefined {
  // Nearly every request is one of these two: the hot path.
  if (contentType === undefined || TENSORS.has(contentType)) return undefined;
  const type = contentType.split(";", 1)[0]!.trim().toLowerCase();
  return MEDIA.test(type) ? type : undefined;
}

/** A request whose body went through the steps before the model. */
export interface MediaRequest {
  readonly request: InferRequest;
  /** What the steps after the model make of its outputs. @throws MusterError `inference.failed` */
  answer(outputs: readonly TensorValue[], degraded?: Degraded): InferResponse;
}

/**
 * Makes the model's input of a picture or signal.
 * @param options id and parameters, which tensors carry in their JSON part
 * @throws MusterError of the `media.` family, `inference.overloaded`
 */
export async function readMedia(
  model: LoadedModel,
  type: string,
  body: Uint8Array,
  options: Omit<InferRequest, "inputs" | "outputs">,
): Promise<MediaRequest> {
  const { name } = model.deployment;
  const pipeline = pipelineOf(model);
  if (!pipeline?.before)
    throw new MusterError("media.unsupported", `Model '${name}' has no pipeline: it takes tensors alone.`);
  if (!pipeline.before.accepts.includes(type))
    throw new MusterError(
      "media.unsupported",
      `Model '${name}' takes ${pipeline.before.accepts.join(" and ")}, not ${type}.`,
    );
  const { input, placement } = await pipeline.before.run(body);
  return processed(model, { ...options, inputs: [input] }, placement);
}

/**
 * A request of tensors whose outputs go through the steps after the model.
 * @throws MusterError `inference.unsupported` for a model without a pipeline
 */
export function processed(
  model: LoadedModel,
  request: Omit<InferRequest, "outputs">,
  placement?: Placement,
): MediaRequest {
  const pipeline = pipelineOf(model);
  if (!pipeline)
    throw new MusterError(
      "inference.unsupported",
      `Model '${model.deployment.name}' has no pipeline that could process its outputs.`,
    );
  const { after } = pipeline;
  const asked = { ...request, outputs: after.needs.map((name) => ({ name, binary: false })) } as InferRequest;
  return {
    request: asked,
    answer(outputs, degraded) {
      const results = after.run(outputs, placement);
      const written = { ...asked, outputs: results.map(({ name }) => ({ name, binary: false })) };
      return encodeInferResponse(model, written, results, degraded);
    },
  };
}

/**
 * The parameters of a request that has no JSON part, by header: `muster-request-id`, `muster-durable: true`,
 * `muster-priority` and `muster-timeout` (microseconds), as their namesakes in JSON.
 * @throws MusterError `inference.invalid`
 */
export function mediaParameters(
  headers: IncomingHttpHeaders,
  { idLength }: Pick<RequestLimits, "idLength">,
): {
  id: string | undefined;
  parameters: Record<string, string | number | boolean>;
} {
  const parameters: Record<string, string | number | boolean> = {};
  const durable = headers["muster-durable"];
  if (durable !== undefined && durable !== "true" && durable !== "false")
    throw new MusterError("inference.invalid", "The header muster-durable is not true or false.");
  if (durable !== undefined) parameters.muster_durable = durable === "true";
  for (const [header, name] of [
    ["muster-priority", "priority"],
    ["muster-timeout", "timeout"],
  ] as const) {
    const value = headers[header];
    if (value === undefined) continue;
    if (typeof value !== "string" || !/^\d{1,15}$/.test(value))
      throw new MusterError("inference.invalid", `The header ${header} is not a whole number.`);
    parameters[name] = Number(value);
  }
  const id = headers["muster-request-id"];
  if (typeof id === "string" && id.length > idLength)
    throw new MusterError(
      "inference.invalid",
      `The header muster-request-id has ${id.length} characters; ${idLength} are allowed.`,
    );
  return { id: typeof id === "string" ? id : undefined, parameters };
}
