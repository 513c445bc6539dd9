import {
  Metadata,
  type ServerUnaryCall,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { isMusterError, MusterError } from "@muster/shared/errors";
import { askModel } from "../ask-model.ts";
import type { Gone } from "../infer.ts";
import { findModel } from "../routes/find-model.ts";
import { describeModel, describeServer } from "../routes/metadata.ts";
import type { PathParameters, Service } from "../routes/route.ts";
import type { InferRequestMessage, InferResponseMessage, ModelAddress, TensorContents } from "./messages.ts";
import { parseMessage } from "./request.ts";
import { messageOf } from "./response.ts";
import { askMetadata, askSibling } from "./sibling.ts";
import { statusOf } from "./status.ts";

/** What an element of a list takes in memory at least, bytes. */
const ELEMENT_BYTES = 8;

type Call<Q> = ServerUnaryCall<Q, unknown>;
type Handle<Q> = (call: Call<Q>) => unknown;

const addressOf = (name: string, version: string): PathParameters =>
  version === "" ? { model: name } : { model: name, version };

/** Every call that a runner answers over gRPC. */
export function handlersOf(service: Service): UntypedServiceImplementation {
  const { siblings } = service;

  const modelReady = ({ request: { name, version } }: Call<ModelAddress>) => {
    const sibling = siblings.find(name, version || undefined);
    if (sibling) return { ready: sibling.state === "ready" };
    return { ready: findModel(service, addressOf(name, version)) !== undefined };
  };

  const modelMetadata = ({ request: { name, version } }: Call<ModelAddress>) => {
    const address = addressOf(name, version);
    const sibling = siblings.find(name, address.version);
    return sibling ? askMetadata(sibling) : describeModel(service, findModel(service, address));
  };

  const modelInfer = (call: Call<InferRequestMessage>): Promise<InferResponseMessage> =>
    service.bodies.hold(sizeOf(call.request), () => infer(call));

  const infer = async (call: Call<InferRequestMessage>): Promise<InferResponseMessage> => {
    const arrivedAt = performance.now();
    const { request: message } = call;
    const address = addressOf(message.model_name, message.model_version);
    if (message.parameters.muster_pipeline?.bool_param)
      throw new MusterError("inference.unsupported", "Pipelines make answers in JSON: use HTTP.");
    const sibling = siblings.find(message.model_name, address.version);
    if (sibling) return askSibling(sibling, message, service.limits, leftOf(call), new CallGone(call));
    const model = findModel(service, address);
    const parsed = parseMessage(model, message, service.limits);
    const timeoutMs = Math.min(parsed.timeoutMs, leftOf(call));
    const inferred = await askModel(service, model, { ...parsed, timeoutMs }, arrivedAt, new CallGone(call));
    const startedAt = performance.now();
    const response = messageOf(model, parsed, inferred);
    service.statistics.written(model, performance.now() - startedAt);
    return response;
  };

  return {
    ServerLive: unary(() => ({ live: true })),
    ServerReady: unary(() => ({ ready: siblings.ready })),
    ModelReady: unary(modelReady),
    ServerMetadata: unary(() => describeServer(service)),
    ModelMetadata: unary(modelMetadata),
    ModelInfer: unary(modelInfer),
  };
}

const unary =
  <Q>(handle: Handle<Q>) =>
  async (call: Call<Q>, callback: sendUnaryData<unknown>): Promise<void> => {
    try {
      callback(null, await handle(call));
    } catch (error) {
      // The supervisor writes what the runner prints into the log.
      if (!isMusterError(error)) console.error(error);
      callback(statusOf(error, new Metadata()));
    }
  };

/** Bytes of the tensors of a request. */
const sizeOf = ({ raw_input_contents: raw, inputs }: InferRequestMessage): number =>
  raw.reduce((sum, { length }) => sum + length, 0) +
  inputs.reduce((sum, { contents }) => sum + elementsOf(contents) * ELEMENT_BYTES, 0);

const elementsOf = (contents: TensorContents | null): number =>
  Object.values(contents ?? {}).reduce((sum, list) => sum + list.length, 0);

/** Milliseconds that the deadline of the call leaves; infinite for none. */
function leftOf(call: Call<unknown>): number {
  const deadline = Number(call.getDeadline());
  return Number.isFinite(deadline) ? Math.max(0, deadline - Date.now()) : Number.POSITIVE_INFINITY;
}

/** A call is cancelled by its client, by the end of the connection or by its deadline. */
class CallGone implements Gone {
  readonly #call: Call<unknown>;

  constructor(call: Call<unknown>) {
    this.#call = call;
  }

  get aborted(): boolean {
    return this.#call.cancelled;
  }

  addEventListener(_type: "abort", listener: () => void): void {
    this.#call.once("cancelled", listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.#call.removeListener("cancelled", listener);
  }
}
