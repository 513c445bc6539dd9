import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Call, Infer, Inferred } from "@muster/agent/runner/infer";
import { inferInPieces, pieceOf } from "@muster/agent/runner/schedule/pieces";
import { MusterError } from "@muster/shared/errors";
import fc from "fast-check";

const lane = (maxBatch: number, msPerRow: number) => ({
  maxBatch,
  maxDelayMs: 0,
  predict: (rows: number) => rows * msPerRow,
});

describe("how many rows go in one piece", () => {
  for (const [name, maxBatch, msPerRow, rows, piece] of [
    ["all of a batch, however slow", 32, 10, 32, 32],
    ["all while they are quick", 1, 0.1, 400, 400],
    ["so many as take 50 ms", 1, 0.5, 1000, 100],
    ["a full batch at least", 32, 5, 1000, 32],
    ["one at least", 1, 400, 10, 1],
    ["all while nothing was measured", 1, 0, 65_536, 65_536],
  ] as const)
    test(name, () => assert.equal(pieceOf(lane(maxBatch, msPerRow), rows), piece));
});

const callOf = (rows: number): Call =>
  ({
    request: {
      inputs: [
        {
          name: "x",
          datatype: "FP32",
          shape: [rows, 2],
          data: Float32Array.from({ length: rows * 2 }, (_, i) => i),
        },
      ],
      outputs: [],
    },
  }) as unknown as Call;

/** Twice its input, one verdict a row, 10 µs a row. */
const doubled: Infer = async ({ request }) => {
  const [input] = request.inputs;
  const rows = input!.shape[0]!;
  return {
    values: [{ ...input!, name: "y", data: (input!.data as Float32Array).map((value) => value * 2) }],
    verdicts: Array.from({ length: rows }, () => ({ ok: true, top: null })),
    latencyUs: rows * 10,
    cpuUs: rows,
    batchRows: rows,
  } as unknown as Inferred;
};

test("property: pieces give together what the whole gives", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 40 }),
      async (rows, piece) => {
        const whole = await doubled(callOf(rows));
        const { batchRows, ...pieces } = await inferInPieces(callOf(rows), rows, piece, doubled);
        assert.deepEqual({ ...pieces, batchRows: rows }, whole);
        assert.equal(batchRows, Math.min(piece, rows));
      },
    ),
  );
});

test("the first piece that fails ends it", async () => {
  let pieces = 0;
  const error = new MusterError("inference.failed");
  const failing: Infer = async (call) => {
    pieces += 1;
    return pieces === 2 ? { ...(await doubled(call)), error } : doubled(call);
  };
  assert.equal((await inferInPieces(callOf(10), 10, 2, failing)).error, error);
  assert.equal(pieces, 2);
});
