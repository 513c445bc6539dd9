import { countIn } from "@muster/shared/stats/histogram";
import { type Budget, begin, openBudget, settle } from "../../shadow/budget.ts";
import { emptyShadowTally, type ShadowTally } from "../../shadow/tally.ts";
import type { Observation, Observer } from "../infer.ts";
import { encodeBinaryData } from "../tensors/binary.ts";
import type { TensorValue } from "../tensors/datatypes.ts";
import { Candidate } from "./candidate.ts";
import { compare } from "./compare.ts";
import type { SentTensor, ShadowAnswer } from "./words.ts";

/** What a live runner is told to have computed a second time. */
export interface TapOrder {
  /** Names this shadow: what is told of another one is not for it. */
  readonly shadow: string;
  /** Where the candidate of each model listens. Another version of the same name is not compared with it. */
  readonly routes: readonly {
    readonly model: string;
    readonly version: string;
    readonly socketPath: string;
  }[];
  readonly samplePercent: number;
  /** Processor time of the candidate for what this runner asks, percent of one core. */
  readonly cpuPercent: number;
  /** Largest data of one request that is copied, bytes. */
  readonly mostBytes: number;
}

export interface TapPorts {
  /** 0 to 1. */
  readonly random: () => number;
  /** Milliseconds that only grow. */
  readonly monotonic: () => number;
  readonly tell: (shadow: string, models: ShadowTally[]) => void;
}

/** Requests on their way to one candidate. */
const MOST_WAITING = 2;
/** Time between two reports, milliseconds. */
const TELL_MS = 500;

/**
 * Has a candidate compute a sample of what was answered. It never takes part in an answer: it looks on, sends a
 * sampled input after the turn in which the answer went out, and drops what the candidate has no time for.
 */
export class ShadowTap implements Observer {
  readonly #ports: TapPorts;
  #order: TapOrder | undefined;
  #candidates = new Map<string, { version: string; line: Candidate }>();
  #tallies = new Map<string, ShadowTally>();
  #budget: Budget;
  /** Sampled in this turn of the event loop, and sent in the next. */
  #leaving = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(ports: TapPorts) {
    this.#ports = ports;
    this.#budget = openBudget(0, 0);
  }

  /** Begins a shadow, or ends the one there is. What is on its way then counts no more. */
  follow(order: TapOrder | null): void {
    this.#tell();
    clearInterval(this.#timer);
    for (const { line } of this.#candidates.values()) line.close();
    this.#candidates = new Map();
    this.#tallies = new Map();
    this.#order = order ?? undefined;
    if (!order) return;
    const lines = new Map<string, Candidate>();
    for (const { model, version, socketPath } of order.routes) {
      const line = lines.get(socketPath) ?? new Candidate(socketPath);
      lines.set(socketPath, line);
      this.#candidates.set(model, { version, line });
    }
    this.#budget = openBudget(order.cpuPercent, this.#ports.monotonic());
    this.#timer = setInterval(() => this.#tell(), TELL_MS);
    this.#timer.unref();
  }

  observe(observation: Observation): void {
    const order = this.#order;
    if (!order) return;
    const { call, inferred } = observation;
    const { name: model, version } = call.model.deployment;
    const route = this.#candidates.get(model);
    if (route?.version !== version || inferred.error || inferred.degraded) return;
    if (this.#ports.random() * 100 >= order.samplePercent) return;
    const { inputs } = call.request;
    const outputs = inferred.verdicts.every(({ top }) => top === null) ? inferred.values : [];
    const obstacle = this.#obstacle(order, route.line, bytesOf(inputs) + bytesOf(outputs));
    if (obstacle) this.#tallyOf(model).dropped[obstacle] += 1;
    else this.#send(order, route.line, observation, inputs, outputs.map(copied));
  }

  /** Why this request is not sampled; undefined where it is, and what it will take is set aside. */
  #obstacle(order: TapOrder, line: Candidate, bytes: number): keyof ShadowTally["dropped"] | undefined {
    if (bytes > order.mostBytes) return "size";
    if (line.waiting + this.#leaving >= MOST_WAITING || line.isCongested) return "busy";
    const begun = begin(this.#budget, this.#ports.monotonic());
    if (!begun) return "budget";
    this.#budget = begun;
    return undefined;
  }

  /** @param outputs copies: what a model gave may lie in memory that its next run overwrites; inputs are the request's */
  #send(
    order: TapOrder,
    line: Candidate,
    observation: Observation,
    inputs: readonly TensorValue[],
    outputs: readonly TensorValue[],
  ): void {
    const setAsideUs = this.#budget.costUs;
    this.#leaving += 1;
    setImmediate(() => {
      this.#leaving -= 1;
      if (this.#order !== order) return;
      const data = [...inputs, ...outputs].map((tensor) => encodeBinaryData(tensor.data));
      const sent = [...inputs, ...outputs].map(
        ({ name, datatype, shape }, index): SentTensor => ({
          name,
          datatype,
          shape,
          bytes: data[index]!.byteLength,
        }),
      );
      const question = {
        model: observation.call.model.deployment.name,
        inputs: sent.slice(0, inputs.length),
        outputs: sent.slice(inputs.length),
      };
      line.ask(question, data, (answer) => {
        if (this.#order === order) this.#answered(observation, answer, setAsideUs);
      });
    });
  }

  #answered({ call, inferred }: Observation, answer: ShadowAnswer | undefined, setAsideUs: number): void {
    const tally = this.#tallyOf(call.model.deployment.name);
    this.#budget = settle(this.#budget, setAsideUs, answer?.cpuUs ?? setAsideUs);
    if (!answer) {
      tally.dropped.busy += 1;
      return;
    }
    tally.cpuUs += answer.cpuUs;
    for (const { agreed, failed, live, candidate } of compare(inferred.verdicts, answer)) {
      tally.compared += 1;
      if (agreed) tally.agreed += 1;
      if (failed) tally.failed += 1;
      countIn(tally.latency.live, inferred.latencyUs / 1000);
      if (!failed) countIn(tally.latency.candidate, answer.latencyUs / 1000);
      if (live !== undefined) countIn(tally.confidence.live, live);
      if (candidate !== undefined) countIn(tally.confidence.candidate, candidate);
    }
  }

  #tallyOf(model: string): ShadowTally {
    const tally = this.#tallies.get(model) ?? emptyShadowTally(model);
    this.#tallies.set(model, tally);
    return tally;
  }

  #tell(): void {
    if (!this.#order || this.#tallies.size === 0) return;
    this.#ports.tell(this.#order.shadow, [...this.#tallies.values()]);
    this.#tallies = new Map();
  }
}

const bytesOf = (tensors: readonly TensorValue[]): number =>
  tensors.reduce((sum, { data }) => sum + sizeOf(data), 0);

/** Texts are counted by their characters, each as the four bytes that it takes at most. */
const sizeOf = (data: TensorValue["data"]): number =>
  Array.isArray(data) ? data.reduce((sum, { length }) => sum + 4 + 4 * length, 0) : data.byteLength;

const copied = (tensor: TensorValue): TensorValue => ({ ...tensor, data: tensor.data.slice() });
