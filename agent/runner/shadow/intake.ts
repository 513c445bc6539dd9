import { createServer, type Socket } from "node:net";
import { asMusterError, MusterError } from "@muster/shared/errors";
import type { LoadedModel } from "../model.ts";
import { decodeBinaryData } from "../tensors/binary.ts";
import type { TensorValue } from "../tensors/datatypes.ts";
import { checkShape } from "../tensors/shape.ts";
import { verdictsOf } from "../verdict.ts";
import { type Frame, FrameReader, frameParts } from "./frames.ts";
import { lowerPriority } from "./low-priority.ts";
import { reproduces, type Tolerance, toleranceOf } from "./reproduction.ts";
import type { SentTensor, ShadowAnswer, ShadowQuestion } from "./words.ts";

type FindModel = (name: string) => LoadedModel | undefined;

/** Answers of a candidate: a release that computes what the live one was asked, and serves nobody. */
export class ShadowIntake {
  readonly #find: FindModel;
  readonly #mostBody: number;
  readonly #tolerances = new Map<LoadedModel, Promise<Tolerance>>();
  #last: Promise<unknown> = Promise.resolve();
  #cpu = process.cpuUsage();

  /** @param mostBody largest data of one question, bytes */
  constructor(find: FindModel, mostBody: number) {
    this.#find = find;
    this.#mostBody = mostBody;
  }

  /** From now on it gives way to everything else on the box. @throws MusterError `settings.invalid` */
  async listen(socketPath: string): Promise<void> {
    lowerPriority();
    const server = createServer((socket) => this.#serve(socket));
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause) =>
        reject(
          new MusterError("settings.invalid", `Cannot listen on ${socketPath}: ${cause.message}`, { cause }),
        ),
      );
      // A runner is a cluster worker: without this the agent core would hold the socket for it.
      server.listen({ path: socketPath, exclusive: true }, resolve);
    });
    this.#cpu = process.cpuUsage();
  }

  #serve(socket: Socket): void {
    const reader = new FrameReader(this.#mostBody);
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk) => {
      try {
        for (const frame of reader.push(chunk)) this.#take(socket, frame);
      } catch {
        socket.destroy();
      }
    });
  }

  #take(socket: Socket, frame: Frame): void {
    this.#last = this.#last.then(async () => {
      const answer = await this.#answer(frame.head as ShadowQuestion, frame.body);
      if (!socket.writable) return;
      for (const part of frameParts(answer, [])) socket.write(part);
    });
  }

  async #answer(question: ShadowQuestion, body: Buffer): Promise<ShadowAnswer> {
    const start = performance.now();
    const told = (found: Pick<ShadowAnswer, "verdicts" | "reproduced">): ShadowAnswer => {
      const cpu = process.cpuUsage();
      const cpuUs = cpu.user - this.#cpu.user + (cpu.system - this.#cpu.system);
      this.#cpu = cpu;
      return { id: question.id, ...found, latencyUs: Math.round((performance.now() - start) * 1000), cpuUs };
    };
    try {
      return told(await this.#compute(question, body));
    } catch (cause) {
      const { code, message } = asMusterError(cause, "inference.failed");
      return told({
        verdicts: [{ ok: false, top: null, failure: { code, message: message.slice(0, 1000) } }],
      });
    }
  }

  async #compute({ model: name, inputs, outputs }: ShadowQuestion, body: Buffer) {
    const model = this.#find(name);
    if (!model) throw new MusterError("model.not-found", `The candidate has no model ${name}.`);
    const given = decode([...inputs, ...outputs], body);
    const [first] = model.outputs;
    const wanted = given.slice(inputs.length);
    const names = [...new Set([first!.name, ...wanted.map((tensor) => tensor.name)])];
    const got = await model.run(fitting(model, given.slice(0, inputs.length)), known(model, names));
    const verdicts = verdictsOf(
      got.find((tensor) => tensor.name === first!.name),
      model.deployment.labels,
    );
    if (wanted.length === 0) return { verdicts };
    return { verdicts, reproduced: reproduces(got, wanted, await this.#toleranceOf(model)) };
  }

  #toleranceOf(model: LoadedModel): Promise<Tolerance> {
    const known = this.#tolerances.get(model) ?? toleranceOf(model);
    this.#tolerances.set(model, known);
    return known;
  }
}

function decode(tensors: readonly SentTensor[], body: Buffer): TensorValue[] {
  let offset = 0;
  return tensors.map(({ name, datatype, shape, bytes }) => {
    const part = body.subarray(offset, offset + bytes);
    offset += bytes;
    return { name, datatype, shape, data: decodeBinaryData(name, datatype, shape, part) };
  });
}

/** What the applications send must fit the candidate as well. @throws MusterError `inference.invalid` */
function fitting(model: LoadedModel, given: readonly TensorValue[]): TensorValue[] {
  const symbols = new Map<string, number>();
  return model.inputs.map((spec) => {
    const tensor = given.find(({ name }) => name === spec.name);
    if (!tensor) throw new MusterError("inference.invalid", `The candidate wants an input '${spec.name}'.`);
    if (tensor.datatype !== spec.datatype)
      throw new MusterError(
        "inference.invalid",
        `The candidate takes '${spec.name}' as ${spec.datatype}; it is sent as ${tensor.datatype}.`,
      );
    checkShape(spec, [...tensor.shape], symbols);
    return tensor;
  });
}

const known = (model: LoadedModel, names: readonly string[]): string[] =>
  names.filter((name) => model.outputs.some((spec) => spec.name === name));
