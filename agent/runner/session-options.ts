import type { InferenceSession } from "onnxruntime-node";

/**
 * One thread that never spins: idle cores stay idle. Any provider but the CPU must take the whole graph, since
 * ONNX Runtime would otherwise place nodes on the CPU without a word.
 */
export const sessionOptions = (provider: string): InferenceSession.SessionOptions => ({
  executionProviders: [provider],
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  logSeverityLevel: 3,
  extra: {
    session: {
      intra_op: { allow_spinning: "0" },
      inter_op: { allow_spinning: "0" },
      ...(provider === "cpu" ? {} : { disable_cpu_ep_fallback: "1" }),
    },
  },
});
