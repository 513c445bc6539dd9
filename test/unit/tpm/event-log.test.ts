import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isMusterError } from "@muster/shared/errors";
import { MOST_BOOT_LOG_BYTES, parseEventLog, replay } from "@muster/shared/tpm/event-log";
import { EV } from "@muster/shared/tpm/event-types";
import { HASH_SIZE, type HashName } from "@muster/shared/tpm/hash";
import fc from "fast-check";
import { variable } from "../../support/boot-log/efi.ts";
import { usualBoot } from "../../support/boot-log/usual-boot.ts";
import { digestIn, type LoggedEvent, writeBootLog, writeSha1BootLog } from "../../support/boot-log/write.ts";
import { noSwtpm } from "../../support/tools.ts";

/** Replays what was meant to be logged, without the parser. */
function expected(events: readonly LoggedEvent[], bank: HashName, locality = 0): Map<number, string> {
  const values = new Map<number, Buffer>();
  for (const event of events) {
    if (event.type === EV.NO_ACTION) continue;
    const first = Buffer.alloc(HASH_SIZE[bank]);
    if (event.pcr === 0) first[first.length - 1] = locality;
    const value = values.get(event.pcr) ?? first;
    const next = createHash(bank).update(value).update(digestIn(bank, event)).digest();
    values.set(event.pcr, next);
  }
  return new Map([...values].map(([pcr, value]) => [pcr, value.toString("hex")]));
}

test("a usual boot in words", () => {
  const log = parseEventLog(writeBootLog(usualBoot({ locality: 3, secureBoot: false })));
  assert.deepEqual(log.banks, ["sha1", "sha256"]);
  assert.equal(log.startupLocality, 3);
  assert.deepEqual(
    log.events.map(({ pcr, description }) => `${pcr}: ${description}`),
    [
      "0: format of the log",
      "0: the TPM was started from locality 3",
      "0: version of the firmware EDGE-1.04",
      "0: part of the firmware",
      '0: code of the firmware "ACPI DATA"',
      "7: Secure Boot is off",
      "7: platform key of Secure Boot (PK), 800 bytes",
      "7: keys that may change the lists of Secure Boot (KEK), 1500 bytes",
      "7: list of what Secure Boot allows (db), 3100 bytes",
      "7: list of what Secure Boot forbids (dbx), 76 bytes",
      "7: end of what the firmware measures",
      "1: order of the boot entries: 0001, 0003",
      '1: boot entry 0001 "debian"',
      '1: boot entry 0003 "UEFI PXE"',
      ...[0, 1, 2, 3, 4, 5, 6].map((pcr) => `${pcr}: end of what the firmware measures`),
      '4: step of the boot "Calling EFI Application from Boot Option"',
      "5: partition table of the boot disk with 2 partitions",
      "7: a program was allowed by db",
      "4: boot program \\EFI\\debian\\shimx64.efi",
      "14: keys and settings of the boot loader (MokList)",
      "4: boot program \\EFI\\debian\\grubx64.efi",
      "9: file that the boot loader read: /EFI/debian/grub.cfg",
      "8: command of GRUB: search.fs_uuid 3f6b root",
      "8: command of GRUB: linux /vmlinuz-6.12.9 root=/dev/sda2 ro quiet",
      "9: file that the boot loader read: /boot/vmlinuz-6.12.9",
      "8: kernel command line: /vmlinuz-6.12.9 root=/dev/sda2 ro quiet",
      "9: initial ram disk",
      '5: step of the boot "Exit Boot Services Invocation"',
      '5: step of the boot "Exit Boot Services Returned with Success"',
    ],
  );
});

test("other events in words", () => {
  const wide = (text: string) => Buffer.from(`${text}\0`, "utf16le");
  const cases: [number, number, Buffer, string][] = [
    [12, EV.IPL, wide("root=UUID=1 ro"), "kernel command line: root=UUID=1 ro"],
    [11, EV.IPL, Buffer.from(".linux\0"), "part of the kernel image .linux"],
    [0, EV.EFI_PLATFORM_FIRMWARE_BLOB2, Buffer.from("\x04PEI0\0\0"), 'part of the firmware "PEI0"'],
    [7, EV.SEPARATOR, Buffer.of(1, 0, 0, 0), "an error that the firmware met while it measured"],
    [1, EV.CPU_MICROCODE, Buffer.from("x"), "microcode of the processor"],
    [7, EV.EFI_VARIABLE_DRIVER_CONFIG, Buffer.alloc(3), "firmware variable that cannot be read"],
    [0, 0x1234, Buffer.alloc(3), "event of type 0x1234"],
    [0, EV.S_CRTM_VERSION, Buffer.alloc(16, 0x9e), `version of the firmware ${"9e".repeat(16)}`],
    [
      7,
      EV.EFI_VARIABLE_AUTHORITY,
      variable("SbatLevel", Buffer.alloc(4)),
      "keys and settings of the boot loader (SbatLevel)",
    ],
    [
      8,
      EV.IPL,
      Buffer.from("initrd=\\a.img quiet", "utf16le"),
      'measurement of the boot loader "initrd=\\a.img quiet"',
    ],
    [8, EV.IPL, Buffer.from("a\nb\u202e[31m"), 'measurement of the boot loader "a b [31m"'],
    [8, EV.IPL, Buffer.from("a\x1b[31m"), "measurement of the boot loader"],
  ];
  const log = parseEventLog(writeBootLog(cases.map(([pcr, type, data]) => ({ pcr, type, data }))));
  assert.deepEqual(
    log.events.slice(1).map(({ description }) => description),
    cases.map(([, , , words]) => words),
  );
});

for (const bank of ["sha1", "sha256", "sha384"] as const)
  test(`replays ${bank}`, () => {
    for (const locality of [0, 3, 4]) {
      const events = usualBoot({ locality });
      const log = parseEventLog(writeBootLog(events, ["sha1", "sha256", "sha384"]));
      assert.deepEqual(replay(log, bank), expected(events, bank, locality));
    }
  });

test("a log with SHA-1 alone", () => {
  const events = usualBoot();
  const log = parseEventLog(writeSha1BootLog(events));
  assert.deepEqual(log.banks, ["sha1"]);
  assert.deepEqual(replay(log, "sha1"), expected(events, "sha1"));
  assert.throws(() => replay(log, "sha256"), { code: "attestation.log-malformed" });
});

test("an algorithm that is not known is skipped, padding is left out", () => {
  const bytes = writeBootLog(usualBoot(), ["sha256", "sha1"]);
  // SHA-1 becomes 0x0099 of the same length, in the table and in each event.
  for (let at = bytes.indexOf(Buffer.of(4, 0, 20, 0)); at < bytes.length - 1; at++)
    if (bytes.readUInt16LE(at) === 4 && isAlgorithm(bytes, at)) bytes.writeUInt16LE(0x99, at);
  const log = parseEventLog(Buffer.concat([bytes, Buffer.alloc(100)]));
  assert.deepEqual(log.banks, ["sha256"]);
  assert.deepEqual(replay(log, "sha256"), expected(usualBoot(), "sha256"));
  assert.equal(
    parseEventLog(Buffer.concat([bytes, Buffer.alloc(64, 0xff)])).events.length,
    log.events.length,
  );
});

/** True at the id of the second digest of an event of two banks, or of the table. */
const isAlgorithm = (bytes: Buffer, at: number): boolean =>
  (at >= 4 && bytes.readUInt16LE(at - 4) === 0x000b && bytes.readUInt16LE(at + 2) === 20) ||
  (at >= 46 && bytes.readUInt16LE(at - 34) === 0x000b && bytes.readUInt32LE(at - 38) === 2);

test("what is not taken", () => {
  const log = writeBootLog(usualBoot());
  const size = 12 + 22 + 34 + 4 + 20;
  const changed = (at: number, value: number): Buffer => {
    const copy = Buffer.from(log);
    copy.writeUInt32LE(value, at);
    return copy;
  };
  const record = log.indexOf(Buffer.from("EDGE", "utf16le")) - 4 - 34 - 22 - 12;
  const cases: [Buffer, RegExp][] = [
    [Buffer.alloc(0), /is empty/],
    [log.subarray(0, 31), /ends within/],
    [Buffer.alloc(MOST_BOOT_LOG_BYTES + 1), /larger than/],
    [log.subarray(0, -1), /ends within/],
    [Buffer.concat([log, Buffer.of(1)]), /ends within/],
    [changed(32 + 24, 9), /9 banks/],
    [changed(32 + 24, 0), /0 banks/],
    [changed(32 + 28, 0x00210004), /digests of 33 bytes/],
    [changed(32 + 32, 0x00140004), /twice/],
    [changed(record + 8, 3), /3 digests/],
    [changed(record + 12, 0x000c), /unexpected algorithm/],
    [changed(record, 24), /PCR 24/],
    [changed(record + 12 + 22 + 34, 0xffffffff), /ends within/],
    [Buffer.concat([log, ...Array(5000).fill(log.subarray(record, record + size))]), /more than 4096 events/],
  ];
  for (const [bytes, message] of cases)
    assert.throws(() => parseEventLog(bytes), { code: "attestation.log-malformed", message });
});

test("an event without a digest of the bank stops the replay", () => {
  const log = parseEventLog(writeBootLog(usualBoot(), ["sha256"]));
  const [, first] = log.events;
  assert.ok(first);
  const broken = { ...log, events: [{ ...first, digests: {}, typeName: "", description: "" }] };
  assert.throws(() => replay(broken, "sha256"), { code: "attestation.log-malformed" });
});

test("any events come back as they were written", () => {
  const event = fc.record({
    pcr: fc.integer({ min: 0, max: 23 }),
    type: fc.oneof(fc.constantFrom(...Object.values(EV)), fc.integer({ min: 0, max: 0xffffffff })),
    data: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 20 }), (events) => {
      const log = parseEventLog(writeBootLog([...events, ...usualBoot()], ["sha256"]));
      for (const [i, { pcr, type, data }] of events.entries()) {
        const read = log.events[i + 1];
        assert.deepEqual([read?.pcr, read?.type, read?.data], [pcr, type, data]);
        assert.ok((read?.description.length ?? 0) < 1000);
      }
    }),
  );
});

test("no bytes bring anything but a log or a coded error", () => {
  const log = writeBootLog(usualBoot());
  const flips = fc.array(fc.tuple(fc.nat(log.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
  const mutated = fc.tuple(flips, fc.nat(log.length)).map(([changes, end]) => {
    const copy = Buffer.from(log);
    for (const [at, value] of changes) copy[at] = value;
    return copy.subarray(0, end);
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), mutated), (bytes) => {
      try {
        for (const { description } of parseEventLog(bytes).events) assert.equal(typeof description, "string");
      } catch (error) {
        assert.ok(isMusterError(error, "attestation.log-malformed"), String(error));
      }
    }),
  );
});

test("tpm2_eventlog replays the same", { skip: noSwtpm }, () => {
  const folder = mkdtempSync(join(tmpdir(), "muster-log-"));
  try {
    const file = join(folder, "log");
    writeFileSync(file, writeBootLog(usualBoot(), ["sha1", "sha256", "sha384"]));
    const printed = execFileSync("tpm2_eventlog", [file], { encoding: "utf8" });
    const log = parseEventLog(writeBootLog(usualBoot(), ["sha1", "sha256", "sha384"]));
    for (const bank of log.banks) {
      const section = new RegExp(`^  ${bank}:\\n((?:    .*\\n?)+)`, "m").exec(printed)?.[1] ?? "";
      const theirs = [...section.matchAll(/^ +(\d+) *: 0x([0-9a-f]+)$/gm)].map(
        ([, pcr, value]) => [Number(pcr), value] as const,
      );
      assert.ok(theirs.length > 7, printed.slice(-2000));
      assert.deepEqual(new Map(theirs), new Map([...replay(log, bank)].sort(([a], [b]) => a - b)));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
