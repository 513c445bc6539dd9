import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameReader, frameParts } from "@muster/agent/runner/shadow/frames";
import { isMusterError } from "@muster/shared/errors";
import fc from "fast-check";

test("frames come whole, however the stream is cut", () => {
  const frame = fc.record({
    head: fc.record({ id: fc.nat(), name: fc.string() }),
    body: fc.uint8Array({ maxLength: 200 }),
  });
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 5 }),
      fc.array(fc.integer({ min: 1, max: 60 })),
      (frames, cuts) => {
        const stream = Buffer.concat(frames.flatMap(({ head, body }) => frameParts(head, [body])));
        const reader = new FrameReader(200);
        const got: unknown[] = [];
        let from = 0;
        for (let turn = 0; from < stream.byteLength; turn += 1) {
          const to = from + (cuts.length > 0 ? cuts[turn % cuts.length]! : 7);
          for (const { head, body } of reader.push(stream.subarray(from, to)))
            got.push({ head, body: [...body] });
          from = to;
        }
        assert.deepEqual(
          got,
          frames.map(({ head, body }) => ({ head: JSON.parse(JSON.stringify(head)), body: [...body] })),
        );
      },
    ),
  );
});

test("a frame that is too large, and a head that is no JSON, are refused", () => {
  const large = Buffer.concat(frameParts({}, [new Uint8Array(11)]));
  assert.throws(
    () => new FrameReader(10).push(large),
    (error) => isMusterError(error, "wire.oversized"),
  );
  const broken = Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7b]);
  assert.throws(
    () => new FrameReader(10).push(broken),
    (error) => isMusterError(error, "wire.malformed"),
  );
});
