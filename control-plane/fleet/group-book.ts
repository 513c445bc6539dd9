import { matches, parseSelector, type Selector, type SelectorSubject } from "./selector.ts";

/** A saved selector with a name. Times in milliseconds since the epoch. */
export interface Group {
  name: string;
  selector: string;
  description: string;
  createdAt: number;
  changedAt: number;
}

/** The saved groups. It never changes: a change makes a new book. */
export class GroupBook {
  readonly #groups: ReadonlyMap<string, Group>;
  readonly #selectors = new Map<string, Selector>();

  constructor(groups: readonly Group[]) {
    this.#groups = new Map(groups.map((group) => [group.name, group]));
  }

  /** By name. */
  all(): Iterable<Group> {
    return this.#groups.values();
  }

  get(name: string): Group | undefined {
    return this.#groups.get(name);
  }

  /** Undefined for a group that does not exist. */
  has(name: string, subject: SelectorSubject): boolean | undefined {
    const group = this.#groups.get(name);
    return group && matches(this.#selectorOf(group), subject);
  }

  /** Whether the subject is in any group. */
  hasAny(subject: SelectorSubject): boolean {
    for (const group of this.#groups.values()) if (matches(this.#selectorOf(group), subject)) return true;
    return false;
  }

  #selectorOf({ name, selector: text }: Group): Selector {
    let selector = this.#selectors.get(name);
    if (!selector) {
      selector = parseSelector(text);
      this.#selectors.set(name, selector);
    }
    return selector;
  }
}
