import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { isMusterError } from "@muster/shared/errors";
import type { HashName } from "@muster/shared/tpm/hash";
import { ImaReplay, parseImaLines } from "@muster/shared/tpm/ima-log";
import fc from "fast-check";
import { imaLine, imaTemplateData, type MeasuredFile } from "../../support/ima-list.ts";

const FILES: readonly MeasuredFile[] = [
  { path: "boot_aggregate", content: "pcr 0 to 9" },
  { path: "/usr/bin/node", content: "node", signature: "0302046e6c10460100aa" },
  { path: "/usr/lib/libc.so.6", content: "libc", signature: "" },
  { path: "/var/log/muster.log", content: "", violation: true },
  { path: "/opt/Muster_GmbH/ä.js", content: "ä" },
];
const list = FILES.map(imaLine).join("");

function expected(files: readonly MeasuredFile[], bank: HashName): string {
  const size = createHash(bank).digest().length;
  let value = Buffer.alloc(size);
  for (const file of files) {
    const digest = file.violation
      ? Buffer.alloc(size, 0xff)
      : createHash(bank).update(imaTemplateData(file)).digest();
    value = createHash(bank).update(value).update(digest).digest();
  }
  return value.toString("hex");
}

test("lines as a kernel wrote them", () => {
  const real = [
    "10 0c8a706a75a5689c1e168f0a573a3cbec33061b5 ima-sig sha256:e4cb9f5709c88376b5fc3743cd88e76b9aae8f3d992d845678de5215edb31216 boot_aggregate ",
    "10 bb24b135e1c911c97aad8f1c1863efc08cd44c11 ima-ng sha256:d41dd4adacf5a35df426461dd8a92d7bdd5ba29bb61a1c3531bec0ada386f8dd /usr/lib/x86_64-linux-gnu/libresolv.so.2",
  ];
  const entries = parseImaLines(real.join("\n"));
  assert.deepEqual(
    entries.map(({ template, path }) => [template, path]),
    [
      ["ima-sig", "boot_aggregate"],
      ["ima-ng", "/usr/lib/x86_64-linux-gnu/libresolv.so.2"],
    ],
  );
});

test("a list with every kind of line", () => {
  const entries = parseImaLines(list);
  assert.deepEqual(
    entries.map(({ path }) => path),
    FILES.map(({ path }) => path),
  );
  assert.deepEqual(
    entries.map(({ violation }) => violation),
    [false, false, false, true, false],
  );
  assert.deepEqual(entries[1]?.file, {
    hash: "sha256",
    digest: createHash("sha256").update("node").digest("hex"),
  });
  assert.equal(entries[1]?.extra, "0302046e6c10460100aa");
});

test("replays into every bank, over slices and through JSON", () => {
  for (let cut = 0; cut <= FILES.length; cut++) {
    const first = ImaReplay.start(["sha1", "sha256", "sha384"]);
    const entries = parseImaLines(list);
    for (const entry of entries.slice(0, cut)) first.extend(entry);
    const second = ImaReplay.resume(JSON.parse(JSON.stringify(first.state())));
    for (const entry of entries.slice(cut)) second.extend(entry);
    assert.equal(second.count, FILES.length);
    for (const bank of ["sha1", "sha256", "sha384"] as const)
      assert.equal(second.value(bank), expected(FILES, bank));
    assert.equal(second.value("sha512"), undefined);
  }
});

test("a line for another PCR counts and extends nothing", () => {
  const replay = ImaReplay.start(["sha256"]);
  const [entry] = parseImaLines(imaLine(FILES[0] as MeasuredFile));
  assert.ok(entry);
  replay.extend({ ...entry, pcr: 11 });
  assert.equal(replay.count, 1);
  assert.equal(replay.value("sha256"), "00".repeat(32));
});

test("what is not taken", () => {
  const [line = ""] = list.split("\n");
  const cases: [string, RegExp][] = [
    [line.replace("boot_aggregate", "boot_aggregat3"), /does not have the hash/],
    [line.replace(/sha256:./, "sha256:x"), /cannot be read/],
    [line.replace("ima-ng", "ima-modsig"), /not known/],
    [line.replace("ima-ng", "ima-ngv2"), /another template/],
    [line.replace(/^10/, "24"), /PCR 24/],
    [`${line} 00`, /a field too many/],
    [line.replace("ima-ng", "ima-sig").concat(" 0"), /half a byte/],
    [`${list}\n${list}`, /Line 6/],
    [`10 ${"0".repeat(41)} ima-ng sha256:${"0".repeat(64)} /x`, /no known length/],
    [`10 ${"0".repeat(40)} ima-ng sha256:${"0".repeat(64)} /${"x".repeat(70_000)}`, /too long/],
    ["\n".repeat(100_001), /more than 100000 lines/],
    ["x".repeat(17 * 1024 * 1024), /longer than/],
  ];
  for (const [text, message] of cases)
    assert.throws(() => parseImaLines(text), { code: "attestation.log-malformed", message });
});

test("any files come back as they were written", () => {
  const path = fc.stringMatching(/^\/[a-zA-Z0-9_.äß/-]{1,60}$/);
  const signature = fc.option(
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString("hex")),
    { nil: undefined },
  );
  const file = fc.record({ path, content: fc.string(), signature, violation: fc.boolean() });
  fc.assert(
    fc.property(fc.array(file, { maxLength: 10 }), (files) => {
      const measured = files.map(({ signature: extra, ...rest }) =>
        extra === undefined ? rest : { ...rest, signature: extra },
      );
      const entries = parseImaLines(measured.map(imaLine).join(""));
      const replay = ImaReplay.start(["sha256"]);
      for (const entry of entries) replay.extend(entry);
      assert.deepEqual(
        entries.map((entry) => [entry.path, entry.extra]),
        measured.map((entry) => [entry.path, "signature" in entry ? entry.signature : ""]),
      );
      assert.equal(replay.value("sha256"), expected(measured, "sha256"));
    }),
  );
});

test("no text brings anything but a list or a coded error", () => {
  const mutated = fc
    .array(fc.tuple(fc.nat(list.length), fc.string({ maxLength: 3 })), { minLength: 1, maxLength: 5 })
    .map((cuts) => cuts.reduce((text, [at, put]) => text.slice(0, at) + put + text.slice(at + 2), list));
  fc.assert(
    fc.property(fc.oneof(fc.string(), mutated), (text) => {
      try {
        parseImaLines(text);
      } catch (error) {
        assert.ok(isMusterError(error, "attestation.log-malformed"), String(error));
      }
    }),
  );
});
