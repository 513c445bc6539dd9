import type { Standing } from "./standing.ts";

/** What a runner knows about the models of its siblings. Alone it knows nothing and asks for nothing. */
export class Siblings {
  readonly #self: string;
  #standings: readonly Standing[] = [];
  /** False while every model of the release is this runner's own. */
  #any = false;

  /** @param self how the supervisor calls this runner */
  constructor(self: string) {
    this.#self = self;
  }

  /** The supervisor tells all that is served, this runner's own models among it. */
  update(standings: readonly Standing[]): void {
    this.#standings = standings;
    this.#any = standings.some(({ runner }) => runner !== this.#self);
  }

  /** True while every model of the release is this runner's own. */
  get alone(): boolean {
    return !this.#any;
  }

  /** Every model that is served on this box; empty before the supervisor told. */
  get standings(): readonly Standing[] {
    return this.#standings;
  }

  /** True when no model of a sibling is out of order. */
  get ready(): boolean {
    return this.#standings.every(({ state, runner }) => state === "ready" || runner === this.#self);
  }

  /**
   * The sibling's model of this name and version; undefined when it is this runner's own or nobody's. Without a version
   * the first of that name in the release is meant, whoever has it.
   */
  find(name: string, version?: string): Standing | undefined {
    if (!this.#any) return undefined;
    const found = this.#standings.find(
      (standing) => standing.name === name && (version === undefined || standing.version === version),
    );
    return found?.runner === this.#self ? undefined : found;
  }
}
