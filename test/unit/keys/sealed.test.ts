import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { isMusterError } from "@muster/shared/errors";
import { headerBytesIn, PREFIX_BYTES } from "@muster/shared/trust/sealed/header";
import { Opener } from "@muster/shared/trust/sealed/opener";
import { Sealer } from "@muster/shared/trust/sealed/sealer";
import fc from "fast-check";

const SECRET = Buffer.alloc(32, 7);
const ID = "ab".repeat(16);
const CHUNK = 1024;

function sealed(
  plain: Uint8Array,
  { salt = "01".repeat(32), secret = SECRET, chunkBytes = CHUNK } = {},
): Buffer {
  const digest = `sha256:${createHash("sha256").update(plain).digest("hex")}`;
  const sealer = new Sealer({ key: ID, salt, digest, size: plain.length, chunkBytes }, secret);
  const parts = [sealer.head];
  for (let at = 0; at < plain.length; at += chunkBytes)
    parts.push(sealer.seal(plain.subarray(at, at + chunkBytes)));
  return Buffer.concat(parts);
}

function opened(file: Buffer, secret: Uint8Array = SECRET): Buffer {
  const head = PREFIX_BYTES + headerBytesIn(file.subarray(0, PREFIX_BYTES));
  const opener = new Opener(file.subarray(0, head), secret);
  const parts: Buffer[] = [];
  let at = head;
  while (opener.nextBytes > 0) {
    const bytes = opener.nextBytes;
    parts.push(opener.open(file.subarray(at, at + bytes)));
    at += bytes;
  }
  assert.equal(at, file.length, "all of the file was read");
  return Buffer.concat(parts);
}

const headOf = (file: Buffer): number => PREFIX_BYTES + headerBytesIn(file);
const refused = (file: Buffer, code: "key.sealed-invalid" | "key.wrong" = "key.sealed-invalid") =>
  assert.throws(
    () => opened(file),
    (error) => isMusterError(error, code),
  );

const PLAIN = Buffer.from(Array.from({ length: 3 * CHUNK + 100 }, (_, index) => index % 251));

test("what was sealed opens, whatever its size", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 4 * CHUNK }), (plain) => {
      assert.deepEqual(opened(sealed(plain)), Buffer.from(plain));
    }),
    { numRuns: 100 },
  );
  for (const size of [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK]) {
    const plain = Buffer.alloc(size, 3);
    assert.deepEqual(opened(sealed(plain)), plain, String(size));
  }
});

test("nothing of the content is in the sealed file", () => {
  const plain = Buffer.from("weights of the model ".repeat(300));
  assert.equal(sealed(plain).includes("weights"), false);
});

test("any change of a byte is found", () => {
  const file = sealed(PLAIN);
  fc.assert(
    fc.property(fc.nat({ max: file.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = Buffer.from(file);
      changed[at] = (changed[at] ?? 0) ^ change;
      assert.throws(
        () => opened(changed),
        (error) => isMusterError(error, "key.sealed-invalid") || isMusterError(error, "key.wrong"),
      );
    }),
    { numRuns: 300 },
  );
});

test("chunks that are moved, repeated, cut off, added or of another file do not open", () => {
  const file = sealed(PLAIN);
  const head = headOf(file);
  const size = CHUNK + 16;
  const chunk = (index: number) => file.subarray(head + index * size, head + (index + 1) * size);
  const start = file.subarray(0, head);
  const [a, b, c, last] = [chunk(0), chunk(1), chunk(2), chunk(3)];
  const other = sealed(PLAIN, { salt: "02".repeat(32) });
  const foreign = other.subarray(headOf(other), headOf(other) + size);
  const rows: [string, Buffer[]][] = [
    ["two swapped", [start, b, a, c, last]],
    ["one repeated", [start, a, a, c, last]],
    ["one of another file in its place", [start, foreign, b, c, last]],
    ["the last one missing", [start, a, b, c]],
    ["the last one cut off", [start, a, b, c, last.subarray(0, last.length - 1)]],
    ["one missing in the middle", [start, a, c, last]],
    ["one more at the end", [start, a, b, c, last, last]],
    ["the header of another file", [other.subarray(0, headOf(other)), a, b, c, last]],
  ];
  for (const [name, parts] of rows) assert.throws(() => opened(Buffer.concat(parts)), Error, name);
});

test("a file that ends sooner than its header says is no shorter file", () => {
  // The header of the whole says four chunks; one that says three is another header, under which none opens.
  const whole = sealed(PLAIN);
  const shorter = sealed(PLAIN.subarray(0, 3 * CHUNK));
  const forged = Buffer.concat([
    shorter.subarray(0, headOf(shorter)),
    whole.subarray(headOf(whole), headOf(whole) + 3 * (CHUNK + 16)),
  ]);
  refused(forged);
});

test("another key is told from a damaged file", () => {
  assert.throws(
    () => opened(sealed(PLAIN), Buffer.alloc(32, 8)),
    (error) => isMusterError(error, "key.wrong"),
  );
});

test("what is no sealed file is refused, whatever it is", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => refused(Buffer.from(bytes))),
    { numRuns: 300 },
  );
  const file = sealed(PLAIN);
  for (const text of ["{}", "null", "[1]", `{"v":1}`, "x".repeat(900)]) {
    const prefix = Buffer.from(file.subarray(0, PREFIX_BYTES));
    prefix.writeUInt32BE(text.length, 8);
    refused(Buffer.concat([prefix, Buffer.from(text)]));
  }
});

test("an order that no file can have is refused", () => {
  const order = { key: ID, salt: "01".repeat(32), digest: `sha256:${"0".repeat(64)}`, size: 10 };
  for (const bad of [
    { key: "x" },
    { salt: "01" },
    { digest: "md5:0" },
    { size: 0 },
    { size: 2 ** 33 },
    { chunkBytes: 1 },
  ])
    assert.throws(
      () => new Sealer({ ...order, ...bad }, SECRET),
      (error) => isMusterError(error, "key.sealed-invalid"),
    );
  const sealer = new Sealer(order, SECRET);
  assert.throws(() => sealer.seal(Buffer.alloc(11)));
  sealer.seal(Buffer.alloc(10));
  assert.throws(() => sealer.seal(Buffer.alloc(1)));
});
