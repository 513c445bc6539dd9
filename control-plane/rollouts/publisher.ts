import type { IssuedDirective } from "./directives.ts";
import type { PublishDown, RolloutLog } from "./ports.ts";

/** Directives that are stored and not yet with the broker; of a device only the newest. */
export class Publisher {
  readonly #publishDown: PublishDown;
  readonly #log: RolloutLog;
  readonly #unpublished = new Map<string, IssuedDirective>();

  constructor(publishDown: PublishDown, log: RolloutLog) {
    this.#publishDown = publishDown;
    this.#log = log;
  }

  queue(issued: readonly IssuedDirective[]): void {
    for (const directive of issued) this.#unpublished.set(directive.device, directive);
  }

  /** Hands over what waits; what the broker does not take now is tried again the next time. */
  async publish(): Promise<void> {
    let refused: { device: string; error: unknown } | undefined;
    let refusals = 0;
    for (const [device, directive] of [...this.#unpublished]) {
      try {
        await this.#publishDown(device, "desired", directive.text, { retain: true });
        if (this.#unpublished.get(device) === directive) this.#unpublished.delete(device);
      } catch (error) {
        refusals += 1;
        refused ??= { device, error };
      }
    }
    if (refused)
      this.#log.error(
        { err: refused.error, device: refused.device, directives: refusals },
        "directives could not be published yet",
      );
  }
}
