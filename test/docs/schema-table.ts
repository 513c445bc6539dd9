import type { TSchema } from "typebox";

/** The parts of JSON Schema that our schemas use. */
interface Shape {
  type?: string;
  const?: unknown;
  enum?: unknown[];
  anyOf?: Shape[];
  items?: Shape;
  properties?: Record<string, Shape>;
  patternProperties?: Record<string, Shape>;
  required?: string[];
  pattern?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  maxProperties?: number;
}

const code = (text: string): string => `\`${text.replaceAll("|", "\\|")}\``;

function range(low: number | undefined, high: number | undefined, unit: string): string {
  if (low !== undefined && high !== undefined) return `${low} to ${high}${unit}`;
  if (low !== undefined) return low === 0 ? "" : `at least ${low}${unit}`;
  return high === undefined ? "" : `at most ${high}${unit}`;
}

function limits(shape: Shape): string {
  const high = shape.maximum !== undefined && shape.maximum >= 2 ** 52 ? undefined : shape.maximum;
  return [
    range(shape.minimum, high, ""),
    shape.exclusiveMinimum === undefined ? "" : `above ${shape.exclusiveMinimum}`,
    range(shape.minLength, shape.maxLength, " characters"),
    range(shape.minItems, shape.maxItems, " items"),
    range(undefined, shape.maxProperties, " members"),
    shape.pattern === undefined ? "" : code(shape.pattern),
  ]
    .filter((part) => part !== "")
    .join(", ");
}

function typeName(shape: Shape): string {
  if ("const" in shape) return code(JSON.stringify(shape.const));
  if (shape.enum) return shape.enum.map((value) => code(JSON.stringify(value))).join(" or ");
  if (shape.anyOf) return shape.anyOf.map(typeName).join(" or ");
  if (shape.type === "array") return `array of ${typeName(shape.items ?? {})}`;
  if (shape.patternProperties)
    return `map to ${Object.values(shape.patternProperties).map(typeName).join(" or ")}`;
  return shape.type ?? "any";
}

/** The objects inside a shape whose members deserve rows of their own. */
function inner(shape: Shape): Shape[] {
  if (shape.properties) return [shape];
  return [
    ...(shape.anyOf ?? []),
    ...(shape.items ? [shape.items] : []),
    ...Object.values(shape.patternProperties ?? {}),
  ].flatMap(inner);
}

function rows(shape: Shape, path: string): string[] {
  const required = new Set(shape.required ?? []);
  return Object.entries(shape.properties ?? {}).flatMap(([name, member]) => {
    const list = member.type === "array" ? "[]" : member.patternProperties ? ".*" : "";
    const here = `${path}${name}`;
    const limit = limits(member);
    const row = `| ${code(here)} | ${typeName(member)} | ${required.has(name) ? "yes" : "no"} | ${limit} |`;
    return [row, ...inner(member).flatMap((object) => rows(object, `${here}${list}.`))];
  });
}

/** Markdown table of every member of an object schema, nested ones by path. */
export function schemaTable(schema: TSchema): string {
  const shape = JSON.parse(JSON.stringify(schema)) as Shape;
  const lines = inner(shape).flatMap((object) => rows(object, ""));
  return ["| member | type | required | limits |", "|---|---|---|---|", ...new Set(lines)].join("\n");
}
