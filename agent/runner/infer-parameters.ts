import { MusterError } from "@muster/shared/errors";
import { TIERS } from "@muster/shared/protocol/serving/tiers";
import type { Schedule } from "./infer-request.ts";
import type { RequestLimits } from "./request-limits.ts";

export type JsonObject = Record<string, unknown>;

export const invalid = (message: string) => new MusterError("inference.invalid", message);

/** What was sent in place of a name, short enough for a sentence. */
export const shown = (value: unknown): string => {
  const text = typeof value === "string" ? `'${value}'` : Array.isArray(value) ? "a list" : String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
};

/** @throws MusterError `inference.invalid` */
export function objectOf(value: unknown, what: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid(`${what} is not a JSON object.`);
  return value as JsonObject;
}

/**
 * The parameters of a request or tensor. Those with a name that nobody knows are let pass, as the protocol wants it.
 * @throws MusterError `inference.invalid`, or `inference.unsupported` for an extension that would change the answer
 */
export function parametersOf(holder: JsonObject, what: string, limits: RequestLimits): JsonObject {
  if (holder.parameters === undefined) return {};
  const parameters = objectOf(holder.parameters, `'parameters' of ${what}`);
  const names = Object.keys(parameters);
  if (names.length > limits.parameters)
    throw invalid(`${what} has ${names.length} parameters; ${limits.parameters} are allowed.`);
  for (const name of names) {
    const value = parameters[name];
    if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean")
      throw invalid(`Parameter ${shown(name)} of ${what} is not a string, number or boolean.`);
    refuseUnsupported(name, value);
  }
  return parameters;
}

/** @throws MusterError `inference.unsupported` */
function refuseUnsupported(name: string, value: unknown): void {
  if (name.startsWith("shared_memory"))
    throw new MusterError("inference.unsupported", "Shared memory regions are not supported.");
  if (name === "sequence_id" && value !== 0 && value !== "")
    throw new MusterError("inference.unsupported", "Sequences of requests are not supported.");
}

/** @throws MusterError `inference.invalid` */
export function flag(parameters: JsonObject, name: string, what: string): boolean | undefined {
  const value = parameters[name];
  if (value !== undefined && typeof value !== "boolean")
    throw invalid(`Parameter '${name}' of ${what} is not true or false.`);
  return value;
}

/**
 * Tier and deadline of a request from the parameters of the schedule policy extension: `priority` 1, 2, 3 or 0 for the
 * default, `timeout` in microseconds or 0 for none.
 * @throws MusterError `inference.invalid`
 */
export function scheduleOf({ priority = 0, timeout = 0 }: JsonObject): Schedule {
  if (!Number.isInteger(priority) || (priority as number) < 0 || (priority as number) > TIERS.length)
    throw invalid(`Parameter 'priority' is not an integer from 0 to ${TIERS.length}.`);
  if (!Number.isSafeInteger(timeout) || (timeout as number) < 0)
    throw invalid("Parameter 'timeout' is not a number of microseconds.");
  return {
    tier: TIERS[(priority as number) - 1] ?? "standard",
    timeoutMs: timeout === 0 ? Number.POSITIVE_INFINITY : (timeout as number) / 1000,
  };
}
