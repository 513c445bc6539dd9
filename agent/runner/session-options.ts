import type { InferenceSession } from "onnxruntime-node";
import type { SessionTuning } from "./control.ts";

export interface SessionRequest extends SessionTuning {
  readonly provider: string;
  /** Smallest share of nodes on the provider, 0 to 1; default 1. */
  readonly minPlacement?: number | undefined;
  /** Where the runtime writes what ran where; absent: it does not look. */
  readonly profilePrefix?: string;
}

/**
 * One thread that never spins unless the box asks for more: idle cores stay idle. Any provider but the CPU must take
 * the whole graph, unless the variant allows less: ONNX Runtime would otherwise place nodes on the CPU without a word.
 */
export function sessionOptions(request: SessionRequest): InferenceSession.SessionOptions {
  const { provider, minPlacement = 1, profilePrefix, threads = 1, spinning = false } = request;
  const isWhole = provider === "cpu" || minPlacement >= 1;
  return {
    executionProviders: isWhole ? [provider] : [provider, "cpu"],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    ...(profilePrefix !== undefined && { enableProfiling: true, profileFilePrefix: profilePrefix }),
    extra: {
      session: {
        intra_op: { allow_spinning: spinning ? "1" : "0" },
        inter_op: { allow_spinning: "0" },
        ...(provider !== "cpu" && isWhole && { disable_cpu_ep_fallback: "1" }),
      },
    },
  };
}
