import { MusterError } from "@muster/shared/errors";
import { FACTS, type SelectorSubject } from "./selector-facts.ts";

export type { SelectorSubject } from "./selector-facts.ts";

type Operator = "in" | "notin" | "exists" | "missing";

interface Requirement {
  readonly key: string;
  readonly operator: Operator;
  readonly values: readonly string[];
}

/** Requirements that must all hold; none selects every active device. */
export type Selector = readonly Requirement[];

const KEY = /[a-z0-9](?:[a-z0-9./-]*[a-z0-9])?/y;
/** Label values, and versions and release names for the facts. */
const VALUE = /[A-Za-z0-9._/@+-]*/y;

/**
 * Reads a selector: the label syntax of Kubernetes, with facts of the device beside its labels; see
 * docs/selectors.md.
 * @throws MusterError `selector.invalid` with the position, counted from 1
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

/** The text of a selector, in the shortest form that reads the same. */
export const printSelector = (selector: Selector): string => selector.map(printRequirement).join(",");

/** Whether the selector names this key. */
export const names = (selector: Selector, key: string): boolean =>
  selector.some((requirement) => requirement.key === key);

/** Values that the selector names for this key. */
export const valuesOf = (selector: Selector, key: string): string[] =>
  selector.flatMap((requirement) => (requirement.key === key ? requirement.values : []));

/** Whether the device is selected; a revoked one only where the selector names `status`. */
export const matches = (selector: Selector, subject: SelectorSubject): boolean =>
  (subject.status !== "revoked" || names(selector, "status")) && meetsAll(selector, subject);

/** As `matches`, with revoked devices taken for active ones: for those who want to tell why one is left out. */
export const meetsAll = (selector: Selector, subject: SelectorSubject): boolean =>
  selector.every((requirement) => meets(requirement, subject));

function meets({ key, operator, values }: Requirement, subject: SelectorSubject): boolean {
  const fact = FACTS.get(key);
  if (fact) {
    if (operator === "exists") return fact.exists(subject);
    if (operator === "missing") return !fact.exists(subject);
    let is = false;
    for (const value of values) {
      const answer = fact.is(subject, value);
      if (answer === undefined) return false;
      is ||= answer;
    }
    return is === (operator === "in");
  }
  const { effectiveLabels } = subject;
  const value = Object.hasOwn(effectiveLabels, key) ? effectiveLabels[key] : undefined;
  if (operator === "exists") return value !== undefined;
  if (operator === "missing") return value === undefined;
  return (value !== undefined && values.includes(value)) === (operator === "in");
}

function printRequirement({ key, operator, values }: Requirement): string {
  if (operator === "exists") return key;
  if (operator === "missing") return `!${key}`;
  const [only = ""] = values;
  if (values.length === 1) return `${key}${operator === "in" ? "=" : "!="}${only}`;
  return `${key} ${operator} (${values.join(",")})`;
}

function readRequirement(reader: Reader): Requirement {
  if (reader.take("!")) return { key: reader.read(KEY, "a key"), operator: "missing", values: [] };
  const key = reader.read(KEY, "a key");
  if (reader.take("!=")) return { key, operator: "notin", values: [readValue(reader, key)] };
  if (reader.take("==") || reader.take("=")) return { key, operator: "in", values: [readValue(reader, key)] };
  if (reader.takeWord("in")) return { key, operator: "in", values: readList(reader, key) };
  if (reader.takeWord("notin")) return { key, operator: "notin", values: readList(reader, key) };
  return { key, operator: "exists", values: [] };
}

function readList(reader: Reader, key: string): string[] {
  if (!reader.take("(")) reader.fail("an opening bracket");
  const values: string[] = [];
  do values.push(readValue(reader, key));
  while (reader.take(","));
  if (!reader.take(")")) reader.fail("a comma or a closing bracket");
  return values;
}

/** A fact of few values takes no other: `liveness!=ofline` would select the whole fleet. */
function readValue(reader: Reader, key: string): string {
  const known = FACTS.get(key)?.values;
  return reader.read(VALUE, known ? `one of ${known.join(", ")}` : "a value", known);
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

  /** Consumes what the pattern takes, which has to be one of `allowed` where that is given. */
  read(pattern: RegExp, what: string, allowed?: readonly string[]): string {
    pattern.lastIndex = this.#position;
    const found = pattern.exec(this.#text)?.[0];
    if (found === undefined || (allowed && !allowed.includes(found))) return this.fail(what, found);
    this.#position += found.length;
    this.skipSpace();
    return found;
  }

  fail(expected: string, found = this.#text[this.#position] ?? ""): never {
    const there = found === "" ? (this.#text[this.#position] ?? "") : found;
    throw new MusterError(
      "selector.invalid",
      `Selector, position ${this.#position + 1}: ${expected} is expected, there is ${there === "" ? "the end" : `"${there}"`}.`,
    );
  }
}
