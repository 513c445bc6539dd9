import { asMusterError, type MusterError } from "@muster/shared/errors";
import { MAX_EXAMPLE_BYTES, MAX_EXAMPLE_INPUTS } from "@muster/shared/protocol/example-bytes";
import type { ModelDeployment } from "../../inference/deployment.ts";
import type { Observation, Observer } from "../infer.ts";
import { Allowance } from "./allowance.ts";
import { exampleOf, inputBytes } from "./example-of.ts";

/** Examples that wait for the disk, bytes; more are left out. */
const MOST_WAITING_BYTES = 16 * 1024 ** 2;
/** Room of the header, bytes. */
const HEADER_ROOM = 64 * 1024;
/** After the disk refused, nothing is written for so long, milliseconds. */
const REST_MS = 60_000;

export interface CapturePorts {
  /** Keeps an example. @throws MusterError `storage.full` */
  put(confidence: number, at: number, bytes: Uint8Array): Promise<boolean>;
  /** The disk refused. */
  failed(error: MusterError): void;
}

/** Keeps inputs that a model was unsure of, where release and box both allow it. */
export class Capture implements Observer {
  readonly #release: string;
  readonly #ports: CapturePorts;
  readonly #allowances = new Map<ModelDeployment, Allowance>();
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;
  #restUntil = 0;

  /** @param release its digest */
  constructor(release: string, ports: CapturePorts) {
    this.#release = release;
    this.#ports = ports;
  }

  observe(observation: Observation): void {
    const { call, inferred, at } = observation;
    const rule = call.model.deployment.serving?.capture;
    const rung = inferred.degraded?.rung;
    if (!rule || rung === "cache" || rung === "default" || inferred.error) return;
    if (call.request.inputs.length > MAX_EXAMPLE_INPUTS) return;
    const rows = inferred.verdicts.length;
    for (const [row, { top }] of inferred.verdicts.entries()) {
      if (!top || top.score >= rule.belowConfidence || at < this.#restUntil) continue;
      const size = rule.keep === "inputs" ? inputBytes(call.request.inputs, rows) + HEADER_ROOM : HEADER_ROOM;
      if (size > MAX_EXAMPLE_BYTES || this.#waiting + size > MOST_WAITING_BYTES) continue;
      if (!this.#allowanceOf(call.model.deployment, rule.maxPerDay).take(at)) continue;
      this.#write(top.score, at, exampleOf(observation, this.#release, rule.keep, row, rows));
    }
  }

  /** Resolves when everything that was seen is on the disk or was left out. */
  async settled(): Promise<void> {
    await this.#last;
  }

  #write(confidence: number, at: number, bytes: Uint8Array): void {
    this.#waiting += bytes.byteLength;
    this.#last = this.#last
      .then(async () => {
        if (Date.now() < this.#restUntil) return;
        await this.#ports.put(confidence, at, bytes);
      })
      .catch((error: unknown) => {
        this.#restUntil = Date.now() + REST_MS;
        this.#ports.failed(asMusterError(error));
      })
      .finally(() => {
        this.#waiting -= bytes.byteLength;
      });
  }

  #allowanceOf(deployment: ModelDeployment, perDay: number): Allowance {
    let allowance = this.#allowances.get(deployment);
    if (!allowance) {
      allowance = new Allowance(perDay);
      this.#allowances.set(deployment, allowance);
    }
    return allowance;
  }
}
