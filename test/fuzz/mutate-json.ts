import type { Random } from "../bench/false-alarms/random.ts";
import { below, chance, pick } from "./draw.ts";
import { mutateBytes } from "./mutate-bytes.ts";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const TEXTS = [
  "",
  "\0",
  "\ud800",
  "__proto__",
  "constructor",
  "sha256:",
  "../../etc/passwd",
  "x".repeat(5000),
];
const NUMBERS = [0, -0, -1, 0.5, 1, 2 ** 31, 2 ** 53, -(2 ** 53), 1e308, 8.64e15 + 1, 65_536];

/** A value that nobody asked for. */
const strange = (random: Random): Json =>
  pick<() => Json>(random, [
    () => null,
    () => chance(random, 0.5),
    () => pick(random, NUMBERS),
    () => pick(random, TEXTS),
    () => [],
    () => ({}),
    () => JSON.parse(`{"__proto__": ${pick(random, ["null", "1", "{}"])}}`),
    () => JSON.parse(`${"[".repeat(200)}${"]".repeat(200)}`),
    () => Array(1 + below(random, 2000)).fill(pick(random, NUMBERS)),
  ])();

/** Every place in a value: the container and the key in it. */
function places(value: Json, found: [Json[] | Record<string, Json>, string][] = []): typeof found {
  if (typeof value !== "object" || value === null) return found;
  const container = value as Record<string, Json>;
  for (const key of Object.keys(container)) {
    found.push([container, key]);
    places(container[key] as Json, found);
  }
  return found;
}

const BASE64 = /^[A-Za-z0-9+/]{60,}={0,2}$/;

/** A text of mostly the same letters, so that a pattern still takes it: or what base64 stands for, changed. */
function nearbyText(random: Random, value: string): string {
  if (BASE64.test(value) && chance(random, 0.7)) {
    const bytes = Buffer.from(value, "base64");
    return mutateBytes(random, bytes, [bytes]).toString("base64");
  }
  const at = below(random, value.length + 1);
  const insert = pick(random, [
    value.charAt(below(random, value.length)),
    value.charAt(below(random, value.length)),
    "0",
    String.fromCharCode(below(random, 0x300)),
    "",
  ]);
  return value.slice(0, at) + insert + value.slice(at + 1);
}

function nearbyList(random: Random, value: readonly Json[]): Json[] {
  const at = below(random, value.length + 1);
  return pick<() => Json[]>(random, [
    () => [...value, ...value.slice(0, 1 + below(random, 3))],
    () => [...value.slice(0, at), ...value.slice(at + 1)],
    () => [...value].reverse(),
    () => [],
    () => [...value, ...Array(chance(random, 0.2) ? 300 : 1).fill(value[0] ?? 0)],
  ])();
}

/** A value of the same kind, not far from the one that was there. */
function nearby(random: Random, value: Json): Json {
  if (typeof value === "number")
    return pick(random, [
      value + 1,
      Math.max(0, value - 1),
      0,
      1,
      below(random, 32),
      -value,
      value * 2 ** 20,
      0.5,
    ]);
  if (typeof value === "string") return nearbyText(random, value);
  if (typeof value === "boolean") return !value;
  return Array.isArray(value) ? nearbyList(random, value) : strange(random);
}

/** The text of a document with some members changed, added, moved or taken away. */
export function mutateJson(random: Random, text: string): string {
  let document: Json;
  try {
    document = JSON.parse(text);
  } catch {
    return text;
  }
  // Most of one change: what several of them make is mostly refused for the first one.
  for (let left = chance(random, 0.6) ? 1 : 1 + below(random, 4); left > 0; left--) {
    const all = places(document);
    if (all.length === 0) return JSON.stringify(strange(random)) ?? "";
    const [container, key] = pick(random, all);
    const holder = container as Record<string, Json>;
    const value = holder[key] as Json;
    const kind = random.uniform();
    if (kind < 0.15) holder[key] = strange(random);
    else if (kind < 0.75) holder[key] = nearby(random, value);
    else if (kind < 0.83) delete holder[key];
    else if (kind < 0.9 && !Array.isArray(container))
      Object.defineProperty(holder, pick(random, [...TEXTS, "extra"]), {
        value: strange(random),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    else {
      const [other, name] = pick(random, all);
      holder[key] = structuredClone((other as Record<string, Json>)[name] ?? null);
    }
  }
  return JSON.stringify(document) ?? "";
}
