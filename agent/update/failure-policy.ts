import type { MusterError } from "@muster/shared/errors";
import type { Effect, FailureKind } from "./machine.ts";

/**
 * What a failure means for the update. Before anything is installed the device waits for everything that time
 * or another server may mend; what was proven on this device does not get better by waiting.
 */
export function failureKind(effect: Effect, error: MusterError): FailureKind {
  switch (effect) {
    case "resolve":
      return mayMend(error) ? "retry" : "final";
    case "fetch":
      return mayMend(error) && error.code !== "artifact.corrupted" ? "retry" : "final";
    case "stage":
      if (error.code === "artifact.corrupted") return "refetch";
      return error.code === "storage.full" ? "retry" : "final";
    default:
      return "final";
  }
}

/** A certificate is renewed and a clock is set right while the device waits. */
const mayMend = (error: MusterError): boolean => error.retryable || error.code.startsWith("certificate.");
