import type { TSchema } from "typebox";
import { Name, SitePath, Version } from "./primitives.ts";

/** What a validator says of a value that its schema does not allow, as far as it is needed here. */
interface Mismatch {
  keyword: string;
  schemaPath: string;
  instancePath: string;
  params: object;
  message: string;
}

/** Which alternative of a union it is about; empty outside of unions. */
const alternativeOf = ({ schemaPath }: Mismatch): string =>
  /^.*\/(?:anyOf|oneOf)\/\d+/.exec(schemaPath)?.[0] ?? "";

/** True for what says that another alternative was meant; `place` is where the union stands. */
const speaksAgainst = ({ keyword, instancePath }: Mismatch, place: string): boolean =>
  keyword === "required" ||
  keyword === "boolean" ||
  keyword === "const" ||
  (keyword === "type" && instancePath === place);

/**
 * The mismatches of the alternative that was probably meant, where the first one is within a union: the one whose
 * members are all there and known, if there is one.
 */
function meant(all: readonly Mismatch[]): readonly Mismatch[] {
  const alternatives = new Map<string, Mismatch[]>();
  for (const each of all)
    alternatives.set(alternativeOf(each), [...(alternatives.get(alternativeOf(each)) ?? []), each]);
  const [first] = alternatives.values();
  const place = first?.[0];
  if (!place || alternativeOf(place) === "") return all;
  const isMeant = (some: readonly Mismatch[]) =>
    alternativeOf(some[0] as Mismatch) !== "" &&
    !some.some((each) => speaksAgainst(each, place.instancePath));
  return [...alternatives.values()].find(isMeant) ?? first;
}

const text = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

const patternOf = (schema: TSchema): string | undefined => (schema as { pattern?: string }).pattern;

/** What is asked for by the patterns that people meet. */
const PATTERNS: ReadonlyMap<string | undefined, string> = new Map([
  [patternOf(Name), "takes lower-case letters, digits and dashes between them, at most 63"],
  [patternOf(SitePath), "takes lower-case names with / between them, at most 8, e.g. eu/de/berlin-3"],
  [patternOf(Version), "takes letters, digits, dots, + and -, at most 64, e.g. 1.4.0"],
]);

function wordsOf({ keyword, params, message }: Mismatch, all: readonly Mismatch[]): string {
  const { allowedValues, requiredProperties, pattern } = params as {
    allowedValues?: unknown[];
    pattern?: string;
    requiredProperties?: string[];
  };
  if (keyword === "boolean") return "is not known here";
  if (keyword === "enum" && allowedValues) return `must be one of ${allowedValues.map(text).join(", ")}`;
  if (keyword === "required" && requiredProperties) return `lacks ${requiredProperties.join(", ")}`;
  if (keyword === "const") {
    const constants = all.flatMap(
      ({ keyword: other, params: { allowedValue } }: Mismatch & { params: { allowedValue?: unknown } }) =>
        other === "const" ? [text(allowedValue)] : [],
    );
    return `must be ${constants.join(" or ")}`;
  }
  return (keyword === "pattern" && PATTERNS.get(pattern)) || message;
}

/**
 * Where a value is wrong and how, in words for those who wrote it, without a stop: `/gate/soak is not known here`.
 * @param all as the validator lists them, first to last
 * @param whole what the value as a whole is called
 */
export function mismatchText(all: readonly Mismatch[], whole: string): string {
  const some = meant(all);
  // An unknown member is mostly the one that is missing, misspelt.
  const first = some.find(({ keyword }) => keyword === "boolean") ?? some[0];
  return first ? `${first.instancePath || whole} ${wordsOf(first, all)}` : `${whole} is not valid`;
}
