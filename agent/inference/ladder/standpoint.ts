import type { ErrorCode, MusterError } from "@muster/shared/errors";
import type { DegradedStep, RunningComponent } from "@muster/shared/protocol/state";
import type { ModelDeployment } from "../deployment.ts";
import type { InferenceSettings } from "../settings.ts";
import {
  afterFailure,
  type Descent,
  type DescentRules,
  isWalking,
  onTrial,
  retryAt,
  TOP,
  trialFailed,
} from "./descent.ts";
import type { Choice } from "./ladder.ts";

const EVENT_OF_STEP: Record<DegradedStep, ErrorCode> = {
  provider: "runner.next-provider",
  variant: "runner.next-variant",
  previous: "runner.previous-version",
  safe: "runner.safe",
};

/** Longest reason that is reported, characters. */
const MAX_REASON = 300;

export const descentRules = (settings: InferenceSettings): DescentRules => ({
  budget: settings.crashBudget,
  windowMs: settings.crashWindowSeconds * 1000,
  retryMinMs: settings.retryFirstMinSeconds * 1000,
  retryMaxMs: settings.retryFirstMaxSeconds * 1000,
  hopelessMinMs: settings.retryFailedMinSeconds * 1000,
  hopelessMaxMs: settings.retryFailedMaxSeconds * 1000,
});

/** Where a group stands on its ladder, and why. Times are monotonic milliseconds. */
export class Standpoint {
  readonly #choices: readonly Choice[];
  readonly #rules: DescentRules;
  #descent: Descent;
  #reason: string;

  /**
   * @param choices at least one
   * @param fallen where it stands already, why, and since when
   */
  constructor(
    choices: readonly Choice[],
    rules: DescentRules,
    fallen?: { readonly position: number; readonly reason: string; readonly at: number },
  ) {
    this.#choices = choices;
    this.#rules = rules;
    this.#descent = { ...TOP, position: fallen?.position ?? 0, lastFailureAt: fallen?.at ?? 0 };
    this.#reason = fallen?.reason ?? "";
  }

  /** As the release has it. */
  get first(): readonly ModelDeployment[] {
    return this.#choices[0]!.models;
  }

  /** What is to be served; undefined when nothing is left. */
  get choice(): Choice | undefined {
    return this.#choices[this.#descent.position];
  }

  /** Index of the choice; below the last one nothing is served. */
  get position(): number {
    return this.#descent.position;
  }

  /** Nothing was left, and every choice is being tried once more. */
  get isWalking(): boolean {
    return isWalking(this.#descent, this.#choices.length);
  }

  /** Why it is not the first choice. */
  get reason(): string {
    return this.#reason;
  }

  /** When the first choice is to be tried again; undefined while it is served. */
  get retryAt(): number | undefined {
    return retryAt(this.#descent, this.#choices.length, this.#rules);
  }

  /** Counts a failure. @returns the code of the event when it led a step down */
  failed({ message }: MusterError, at: number): ErrorCode | undefined {
    const before = this.#descent.position;
    this.#descent = afterFailure(this.#descent, this.#choices.length, this.#rules, at);
    if (this.#descent.position === before) return undefined;
    this.#reason = message;
    return this.stepCode;
  }

  /** Code of the event that tells where it stands below the first choice. */
  get stepCode(): ErrorCode {
    const { choice } = this;
    return choice?.step ? EVENT_OF_STEP[choice.step] : "runner.gave-up";
  }

  /** The first choice is served again, on trial. */
  restored(at: number): void {
    this.#descent = onTrial(this.#descent, at);
  }

  /** The first choice could not even be started. */
  notRestored(at: number): void {
    this.#descent = trialFailed(this.#descent, at);
  }

  /** What a runner has proven, marked where that is not the first choice. */
  mark(components: readonly RunningComponent[], models: readonly ModelDeployment[]): RunningComponent[] {
    const step = this.choice?.step;
    if (step === undefined) return [...components];
    return components.map((component) => {
      const model = models.find(
        ({ name, version }) => name === component.name && version === component.version,
      );
      if (model && this.first.includes(model)) return component;
      return { ...component, degraded: { step, reason: this.#reason.slice(0, MAX_REASON) } };
    });
  }
}
