import { MusterError } from "@muster/shared/errors";
import type { Labels } from "@muster/shared/protocol/primitives";

/** What a selector looks at. */
export interface SelectorSubject {
  id: string;
  name: string;
  site: string;
  hardwareClass: string;
  labels: Labels;
}

interface Requirement {
  key: string;
  operator: "in" | "notin" | "exists" | "missing";
  values: string[];
}

/** Requirements that must all hold; none selects every device. */
export type Selector = readonly Requirement[];

/** Facts of the device itself; every other key is a label. */
const FACTS: Readonly<Record<string, (subject: SelectorSubject) => string>> = {
  id: (subject) => subject.id,
  name: (subject) => subject.name,
  site: (subject) => subject.site,
  class: (subject) => subject.hardwareClass,
};

const KEY = /[a-z0-9](?:[a-z0-9./-]*[a-z0-9])?/y;
const VALUE = /[A-Za-z0-9._/-]*/y;

/**
 * Reads a selector of the Kubernetes label syntax: `k=v`, `k==v`, `k!=v`, `k in (a,b)`, `k notin (a,b)`, `k`
 * (has the label) and `!k`, joined by commas that mean "and". `id`, `name`, `class` and `site` are facts of the
 * device; `site=eu/de` takes in every site below it. `!=` and `notin` also match devices without the label.
 * @throws MusterError `rollout.plan-invalid` with the position, counted from 1
 */
export function parseSelector(text: string): Selector {
  const reader = new Reader(text);
  const requirements: Requirement[] = [];
  reader.skipSpace();
  if (reader.atEnd) return requirements;
  do requirements.push(readRequirement(reader));
  while (reader.take(","));
  if (!reader.atEnd) reader.fail("a comma or the end");
  return requirements;
}

export const matches = (selector: Selector, subject: SelectorSubject): boolean =>
  selector.every((requirement) => meets(requirement, subject));

function meets({ key, operator, values }: Requirement, subject: SelectorSubject): boolean {
  const fact = Object.hasOwn(FACTS, key) ? FACTS[key]?.(subject) : undefined;
  const value = fact ?? (Object.hasOwn(subject.labels, key) ? subject.labels[key] : undefined);
  if (operator === "exists") return value !== undefined;
  if (operator === "missing") return value === undefined;
  const within = (wanted: string) =>
    value === wanted || (key === "site" && value !== undefined && value.startsWith(`${wanted}/`));
  return values.some(within) === (operator === "in");
}

function readRequirement(reader: Reader): Requirement {
  if (reader.take("!")) return { key: reader.read(KEY, "a key"), operator: "missing", values: [] };
  const key = reader.read(KEY, "a key");
  if (reader.take("!=")) return { key, operator: "notin", values: [reader.read(VALUE, "a value")] };
  if (reader.take("==") || reader.take("="))
    return { key, operator: "in", values: [reader.read(VALUE, "a value")] };
  if (reader.takeWord("in")) return { key, operator: "in", values: readList(reader) };
  if (reader.takeWord("notin")) return { key, operator: "notin", values: readList(reader) };
  return { key, operator: "exists", values: [] };
}

function readList(reader: Reader): string[] {
  if (!reader.take("(")) reader.fail("an opening bracket");
  const values: string[] = [];
  do values.push(reader.read(VALUE, "a value"));
  while (reader.take(","));
  if (!reader.take(")")) reader.fail("a comma or a closing bracket");
  return values;
}

class Reader {
  readonly #text: string;
  #position = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get atEnd(): boolean {
    return this.#position >= this.#text.length;
  }

  skipSpace(): void {
    while (this.#text[this.#position] === " ") this.#position += 1;
  }

  /** Consumes `token` and the space after it where it comes next. */
  take(token: string): boolean {
    if (!this.#text.startsWith(token, this.#position)) return false;
    this.#position += token.length;
    this.skipSpace();
    return true;
  }

  /** Consumes a word that a space or a bracket follows. */
  takeWord(word: string): boolean {
    const next = this.#text[this.#position + word.length];
    return (next === " " || next === "(") && this.take(word);
  }

  read(pattern: RegExp, what: string): string {
    pattern.lastIndex = this.#position;
    const match = pattern.exec(this.#text);
    if (!match) return this.fail(what);
    this.#position += match[0].length;
    this.skipSpace();
    return match[0];
  }

  fail(expected: string): never {
    const found = this.atEnd ? "the end" : `"${this.#text[this.#position]}"`;
    throw new MusterError(
      "rollout.plan-invalid",
      `Selector, position ${this.#position + 1}: ${expected} is expected, there is ${found}.`,
    );
  }
}
