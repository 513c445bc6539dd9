import { asMusterError, type ErrorCode, type MusterError } from "@muster/shared/errors";
import type { DegradedStep } from "@muster/shared/protocol/state";
import type { ModelDeployment } from "../deployment.ts";
import type { LaunchedGroup } from "../group-context.ts";
import type { LogPort } from "../ports.ts";
import type { InferenceSettings } from "../settings.ts";
import { descentRules, Standpoint } from "./standpoint.ts";

export interface FootingPorts {
  /** Id of the group. */
  readonly group: string;
  readonly settings: InferenceSettings;
  readonly log: LogPort;
  readonly event: (code: ErrorCode, message: string) => void;
  /**
   * The first choice is to be tried again: beside what is served, or, where nothing is left, alone and then each lower
   * choice after it. @returns false when something else is being done; it is asked again soon
   */
  readonly retry: (how: "beside" | "anew") => boolean;
}

/** Time after which a retry that came at a bad moment is asked for again, milliseconds. */
const SOON_MS = 1000;

/** Leads a group down its ladder and up again, at the right times, and tells each step with its reason. */
export class Footing {
  readonly standpoint: Standpoint;
  readonly #ports: FootingPorts;
  #timer: NodeJS.Timeout | undefined;
  /** The place on the ladder that was told last. */
  #told = 0;
  #closed = false;

  constructor(ports: FootingPorts, { choices, fallen }: Pick<LaunchedGroup, "choices" | "fallen">) {
    this.#ports = ports;
    this.standpoint = new Standpoint(choices, descentRules(ports.settings), fallen);
  }

  /** What is to be served; undefined when nothing is left. */
  get models(): readonly ModelDeployment[] | undefined {
    return this.standpoint.choice?.models;
  }

  get step(): DegradedStep | undefined {
    return this.standpoint.choice?.step;
  }

  /** Nothing was left, and every choice is being tried once more: what fails then is not news. */
  get isWalking(): boolean {
    return this.standpoint.isWalking;
  }

  /** The group begins. Tells where it stands below its first choice. */
  begin(): void {
    if (this.standpoint.retryAt !== undefined) this.#tell();
    this.#plan();
  }

  /** Counts a failure. @returns true when it led to another choice, or to none */
  failed(failure: MusterError): boolean {
    if (this.standpoint.failed(failure, performance.now()) === undefined) return false;
    const isKnown = this.standpoint.position === this.#told;
    if (!this.isWalking && !isKnown) this.#tell();
    this.#plan();
    return true;
  }

  /** The choice of now is served. Tells what was not told before. */
  landed(): void {
    if (this.standpoint.position !== this.#told) this.#tell();
  }

  /** Goes back to the first choice, on trial; it is served, or the first of those that are tried in turn. */
  restored(): void {
    this.standpoint.restored(performance.now());
    this.#plan();
  }

  /** The first choice could not even be started beside what is served. */
  notRestored(error: unknown): void {
    const { code, message } = asMusterError(error);
    this.standpoint.notRestored(performance.now());
    this.#ports.log.warn({ group: this.#ports.group, code }, `first choice fails still: ${message}`);
    this.#plan();
  }

  /** The try was called off. */
  again(): void {
    this.#plan();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #tell(): void {
    const { group, event } = this.#ports;
    const { choice, position, reason, stepCode } = this.standpoint;
    this.#told = position;
    if (position === 0) {
      event("runner.restored", `Group ${group} runs its first choice again, after: ${reason}`);
      return;
    }
    const what = choice ? `runs ${choice.models.map(describe).join(", ")} now` : "is not served";
    event(stepCode, `Group ${group} ${what}: ${reason}`);
  }

  #plan(): void {
    clearTimeout(this.#timer);
    const at = this.standpoint.retryAt;
    if (at === undefined || this.#closed) return;
    const retry = () => {
      if (!this.#closed && !this.#ports.retry(this.standpoint.choice ? "beside" : "anew"))
        this.#timer = setTimeout(retry, SOON_MS);
    };
    this.#timer = setTimeout(retry, Math.max(0, at - performance.now()));
  }
}

const describe = ({ name, version, variant, provider, standIn }: ModelDeployment): string =>
  standIn ? `${name} as its cascade answers` : `${name} ${version} (${variant} on ${provider})`;
