import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { gunzipSync } from "node:zlib";
import { BootLogs, packLines, readBootLog, readImaSlice } from "@muster/agent/attestation/boot-logs";
import { MOST_LOG_BYTES, MOST_UNPACKED_BYTES } from "@muster/shared/protocol/evidence";
import { sha256 } from "@muster/shared/trust/digest";
import fc from "fast-check";
import { seededRandom } from "../../models/training/random.ts";

let directory = "";
before(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-logs-"));
});
after(() => rmSync(directory, { recursive: true }));

const random = seededRandom(7);
const noise = (bytes: number): Buffer =>
  Buffer.from(Array.from({ length: bytes }, () => Math.floor(random() * 256)));
const imaLine = (index: number): string =>
  `10 ${noise(20).toString("hex")} ima-ng sha256:${noise(32).toString("hex")} /usr/bin/tool-${index}`;

function written(content: string | Buffer): string {
  const file = join(directory, "log");
  writeFileSync(file, content);
  return file;
}

const unpack = (gzip: string | null): Buffer => gunzipSync(Buffer.from(gzip ?? "", "base64"));

describe("the UEFI event log", () => {
  const content = noise(20_000);
  const digest = sha256(content);

  it("is sent where it is not known, and named where it is or where nobody asked", async () => {
    const file = written(content);
    const sent = await readBootLog(file, null);
    assert.deepEqual([sent?.digest, sent?.bytes, sent?.oversized], [digest, 20_000, false]);
    assert.deepEqual(unpack(sent?.gzip ?? null), content);
    for (const known of [digest, undefined])
      assert.deepEqual(await readBootLog(file, known), {
        digest,
        bytes: 20_000,
        gzip: null,
        oversized: false,
      });
  });

  it("is named where it is too large, packed or not", async () => {
    for (const large of [noise(MOST_LOG_BYTES + 1000), Buffer.alloc(MOST_UNPACKED_BYTES + 1)]) {
      const told = await readBootLog(written(large), null);
      assert.deepEqual(told, { digest: sha256(large), bytes: large.byteLength, gzip: null, oversized: true });
    }
  });

  it("is null where the box has none", async () => {
    assert.equal(await readBootLog(join(directory, "none"), null), null);
    assert.equal(await readBootLog(written(""), null), null);
  });
});

describe("the list of IMA", () => {
  it("is covered by its slices exactly once, also while it grows", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 900 }), { minLength: 1, maxLength: 5 }),
        async (growth) => {
          const lines: string[] = [];
          const got: string[] = [];
          for (const more of [...growth, 0, 0, 0, 0, 0, 0]) {
            for (let added = 0; added < more; added += 1) lines.push(imaLine(lines.length));
            const file = written(lines.map((line) => `${line}\n`).join(""));
            const slice = await readImaSlice(file, got.length);
            assert.deepEqual([slice?.total, slice?.from], [lines.length, got.length]);
            if (!slice || slice.lines === 0) continue;
            assert.ok(Buffer.from(slice.gzip ?? "", "base64").byteLength <= MOST_LOG_BYTES);
            const text = unpack(slice.gzip).toString("latin1");
            assert.ok(text.endsWith("\n"));
            const part = text.slice(0, -1).split("\n");
            assert.equal(part.length, slice.lines);
            got.push(...part);
          }
          assert.deepEqual(got, lines);
        },
      ),
      { numRuns: 8 },
    );
  });

  it("begins anew where more is known than there is: it is another boot", async () => {
    const file = written(["a", "b"].map((line) => `${line}\n`).join(""));
    const slice = await readImaSlice(file, 5);
    assert.deepEqual([slice?.total, slice?.from, slice?.lines], [2, 0, 2]);
    assert.deepEqual(await readImaSlice(file, 2), { total: 2, from: 2, lines: 0, gzip: null });
    assert.deepEqual(await readImaSlice(file, undefined), { total: 2, from: 0, lines: 0, gzip: null });
  });

  it("leaves out a line that is being written, and takes at least one of any size that fits", async () => {
    assert.equal((await readImaSlice(written("a\nhalf"), 0))?.total, 1);
    const lines = Array.from({ length: 50 }, (_, index) => `${imaLine(index)}\n`);
    const most = 300;
    const { lines: count, gzip } = await packLines(lines, most);
    assert.ok(count >= 1 && Buffer.from(gzip ?? "", "base64").byteLength <= most);
  });

  it("does not hold up evidence where it cannot be read", async () => {
    const told: string[] = [];
    const logs = new BootLogs({ bootLog: directory, imaList: directory }, (message) => told.push(message));
    assert.deepEqual([await logs.bootLog(null), await logs.imaSlice(0), told.length], [null, null, 2]);
  });
});
