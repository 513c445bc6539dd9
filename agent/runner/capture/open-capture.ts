import type { ExampleSpool } from "../../examples/box-capture.ts";
import { Spool } from "../../examples/spool.ts";
import type { RunnerReport } from "../reports.ts";
import { Capture } from "./capture.ts";

/** Keeps hard examples of a release in the spool of the box; undefined where the box allows none. */
export function openCapture(
  examples: ExampleSpool | null,
  release: string,
  report: (report: RunnerReport) => void,
): Capture | undefined {
  if (!examples) return undefined;
  const spool = new Spool(examples.directory, examples.maxBytes);
  return new Capture(release, {
    put: (confidence, at, bytes) => spool.put(confidence, at, bytes),
    failed: ({ code, message }) =>
      report({
        kind: "notice",
        notice: {
          code: "example.not-kept",
          message: `A hard example could not be kept (${code}): ${message}`.slice(0, 900),
        },
      }),
  });
}
