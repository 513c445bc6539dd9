const NEVER = Number.POSITIVE_INFINITY;

/** Moments at which a device has something to do, by name: it sleeps until the first of them. */
export class Timers<Name extends string> {
  readonly #dueAt: Record<Name, number>;

  constructor(names: readonly Name[]) {
    this.#dueAt = Object.fromEntries(names.map((name) => [name, NEVER])) as Record<Name, number>;
  }

  /** Infinite while nothing is due. */
  get nextAt(): number {
    let next = NEVER;
    for (const name in this.#dueAt) next = Math.min(next, this.#dueAt[name]);
    return next;
  }

  set(name: Name, at: number | undefined): void {
    this.#dueAt[name] = at ?? NEVER;
  }

  /** Keeps the earlier moment where there is one. */
  setEarliest(name: Name, at: number): void {
    this.#dueAt[name] = Math.min(this.#dueAt[name], at);
  }

  clear(...names: readonly Name[]): void {
    for (const name of names) this.#dueAt[name] = NEVER;
  }

  /** True once for each moment that has come. */
  isDue(name: Name, now: number): boolean {
    if (this.#dueAt[name] > now) return false;
    this.#dueAt[name] = NEVER;
    return true;
  }
}
