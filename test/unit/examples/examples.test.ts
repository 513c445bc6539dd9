import assert from "node:assert/strict";
import { test } from "node:test";
import { roomFor } from "@muster/agent/examples/spool";
import { byHardness, parseSpoolName, type SpoolName, spoolName } from "@muster/agent/examples/spool-name";
import { Allowance } from "@muster/agent/runner/capture/allowance";
import { npyFile } from "@muster/control-plane/cli/npy";
import { decodeExample, type ExampleHeader } from "@muster/shared/protocol/example";
import { encodeExample } from "@muster/shared/protocol/example-bytes";
import { sha256 } from "@muster/shared/trust/digest";
import fc from "fast-check";

const header = (bytes: number[]): ExampleHeader => ({
  schema: "muster.example/1",
  release: sha256("release"),
  model: "defects",
  version: "1.0.0",
  variant: "cpu-int8",
  digest: sha256("model"),
  id: null,
  at: 1_790_000_000_000,
  confidence: 0.41,
  class: 2,
  label: "scratch",
  keep: "inputs",
  inputs: bytes.map((size, index) => ({
    name: `x${index}`,
    datatype: "UINT8",
    shape: [size],
    bytes: size,
    mean: 1,
    std: null,
  })),
  outputs: [],
});

test("an example comes back as it was, and one that was cut or grew is refused", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 4 }), (inputs) => {
      const before = header(inputs.map(({ length }) => length));
      const file = encodeExample(before, inputs);
      const { header: after, inputs: got } = decodeExample(file);
      assert.deepEqual(after, before);
      assert.deepEqual(
        got.map((each) => [...each]),
        inputs.map((each) => [...each]),
      );
      for (const wrong of [file.subarray(0, -1), Buffer.concat([file, Buffer.of(0)])])
        assert.throws(() => decodeExample(wrong), { code: "example.invalid" });
    }),
  );
  for (const text of ["", "{}\n", "no line", '{"schema":"muster.example/2"}\n'])
    assert.throws(() => decodeExample(Buffer.from(text)), { code: "example.invalid" });
});

test("the name of a spooled example says what decides about it", () => {
  const name = spoolName(0.25, 1_790_000_000_000, Buffer.from("content"));
  assert.deepEqual(parseSpoolName(name.file), name);
  assert.equal(name.confidence, 250_000);
  assert.equal(name.size, 7);
  for (const other of ["x.example", "1-2.part", "0250000-1790000000000-7-0123.example"])
    assert.equal(parseSpoolName(other), undefined);
});

const named = (confidence: number, at: number, size: number): SpoolName => ({
  file: `${confidence}-${at}`,
  confidence,
  at,
  size,
});

test("the least hard goes first, of equals the oldest, and an easy one displaces nothing", () => {
  const kept = [named(100, 5, 40), named(300, 9, 40), named(300, 1, 40), named(500, 3, 40)];
  const gone = (next: SpoolName, limit: number) => roomFor(next, kept, limit)?.map(({ file }) => file);
  assert.deepEqual(gone(named(200, 10, 40), 200), []);
  assert.deepEqual(gone(named(200, 10, 40), 160), ["500-3"]);
  assert.deepEqual(gone(named(200, 10, 80), 160), ["500-3", "300-1"]);
  assert.equal(gone(named(600, 10, 40), 160), undefined);
  assert.equal(gone(named(0, 10, 161), 160), undefined, "larger than the whole spool");
});

test("whatever is there, room is made within the limit and only of less hard ones", () => {
  const name = fc
    .tuple(fc.nat(9), fc.nat(9), fc.integer({ min: 1, max: 50 }))
    .map(([confidence, at, size]) => named(confidence, at, size));
  fc.assert(
    fc.property(
      fc.array(name, { maxLength: 12 }),
      name,
      fc.integer({ min: 1, max: 200 }),
      (kept, next, limit) => {
        const gone = roomFor(next, kept, limit);
        if (!gone) return;
        const left = kept.filter((each) => !gone.includes(each));
        assert.ok(left.reduce((sum, { size }) => sum + size, next.size) <= limit);
        for (const each of gone) assert.ok(byHardness(each, next) > 0);
        for (const out of gone) for (const stays of left) assert.ok(byHardness(stays, out) <= 0);
      },
    ),
  );
});

test("a bad hour does not use up the day, and the day has a limit", () => {
  const HOUR = 3_600_000;
  const allowance = new Allowance(16);
  const taken = (hour: number, tries: number) =>
    Array.from({ length: tries }, () => allowance.take(1_000 * HOUR + hour * HOUR)).filter(Boolean).length;
  assert.equal(taken(0, 10), 2, "an eighth of the day");
  assert.equal(taken(1, 10), 2);
  for (let hour = 2; hour < 8; hour += 1) assert.equal(taken(hour, 10), 2);
  assert.equal(taken(9, 10), 0, "16 in 24 hours");
  assert.equal(taken(24, 10), 2, "the first hour is a day ago");
  assert.equal(taken(0, 10), 2, "hours that are to come are forgotten when the clock is set back");
});

test("an input becomes a file in the format of NumPy", () => {
  const file = Buffer.from(npyFile("FP32", [2, 3], new Uint8Array(24)) ?? []);
  assert.equal(file.subarray(0, 6).toString("latin1"), "\x93NUMPY");
  assert.deepEqual([file[6], file[7]], [1, 0]);
  const length = file.readUInt16LE(8);
  assert.equal((10 + length) % 64, 0);
  const text = file.subarray(10, 10 + length).toString();
  assert.match(text, /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(2, 3\), \} *\n$/);
  assert.equal(file.length, 10 + length + 24);
  assert.equal(npyFile("BYTES", [1], new Uint8Array()), undefined);
});
