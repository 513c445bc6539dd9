import fc from "fast-check";
import type { TSchema } from "typebox";
import { Random } from "../bench/false-alarms/random.ts";
import { below, chance, pick } from "./draw.ts";

/** What is used here of JSON schema. */
interface Shape {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Shape[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly patternProperties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly items?: Shape;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minProperties?: number;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}

const TEXTS_PER_PATTERN = 12;
const matching = new Map<string, readonly string[]>();

/** Texts that match a pattern and are of an allowed length, drawn once. */
function textsOf({
  pattern = "^[a-z ]{0,20}$",
  minLength = 0,
  maxLength = 10_000,
}: Shape): readonly string[] {
  const id = `${pattern} ${minLength} ${maxLength}`;
  let texts = matching.get(id);
  if (!texts) {
    const fits = (text: string) => text.length >= minLength && text.length <= maxLength;
    const arbitrary = fc.stringMatching(new RegExp(pattern, "u"));
    const drawn = fc.sample(arbitrary, { numRuns: 4 * TEXTS_PER_PATTERN, seed: 1 }).filter(fits);
    texts = drawn.length > 0 ? drawn.slice(0, TEXTS_PER_PATTERN) : ["x".repeat(minLength)];
    matching.set(id, texts);
  }
  return texts;
}

function sampleOf(random: Random, shape: Shape, depth: number): unknown {
  if (shape.const !== undefined) return shape.const;
  if (shape.enum) return pick(random, shape.enum);
  if (shape.anyOf) return sampleOf(random, pick(random, shape.anyOf), depth);
  switch (shape.type) {
    case "null":
      return null;
    case "boolean":
      return chance(random, 0.5);
    case "integer":
    case "number": {
      const { minimum = 0, maximum = 1_000_000 } = shape;
      return minimum + below(random, Math.min(maximum - minimum, 100_000) + 1);
    }
    case "string":
      return pick(random, textsOf(shape));
    case "array": {
      const { minItems = 0, maxItems = 3 } = shape;
      const count = Math.max(minItems, below(random, Math.min(maxItems, depth > 4 ? 1 : 3) + 1));
      return Array.from({ length: count }, () => sampleOf(random, shape.items ?? {}, depth + 1));
    }
    case "object":
      return objectOf(random, shape, depth);
    default:
      return pick(random, [null, 1, "text"]);
  }
}

function objectOf(random: Random, shape: Shape, depth: number): Record<string, unknown> {
  const members: [string, unknown][] = [];
  for (const [name, member] of Object.entries(shape.properties ?? {}))
    if (shape.required?.includes(name) || chance(random, 0.6))
      members.push([name, sampleOf(random, member, depth + 1)]);
  for (const [pattern, member] of Object.entries(shape.patternProperties ?? {}))
    for (let left = Math.max(shape.minProperties ?? 0, below(random, 3)); left > 0; left--)
      members.push([pick(random, textsOf({ pattern })), sampleOf(random, member, depth + 1)]);
  return Object.fromEntries(members);
}

/** JSON texts of values that a schema allows, nearly all of them: what spans several members is left to chance. */
export function documentsOf(schema: TSchema, count = 24): Buffer[] {
  const random = new Random(7);
  return Array.from({ length: count }, () =>
    Buffer.from(JSON.stringify(sampleOf(random, schema as Shape, 0))),
  );
}
