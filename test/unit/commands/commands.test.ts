import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Commands } from "@muster/agent/commands/commands";
import {
  eraseFiles,
  eraseRest,
  markDecommissioned,
  refuseDecommissioned,
} from "@muster/agent/commands/decommissioned";
import { wipe } from "@muster/agent/commands/wipe";
import { openDatabase } from "@muster/agent/storage/database";
import { isMusterError, type MusterError } from "@muster/shared/errors";
import type { CommandPayload } from "@muster/shared/protocol/command";
import { signCommand } from "@muster/shared/trust/command";
import { signDirective } from "@muster/shared/trust/directive";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import fc from "fast-check";

const key = signingKeyFrom(Buffer.alloc(32, 1));
const stranger = signingKeyFrom(Buffer.alloc(32, 2));
const device = `d${"a".repeat(20)}`;
const NOW = 1_800_000_000_000;

const payload = (more: Partial<CommandPayload> = {}): CommandPayload => ({
  v: 1,
  id: "command_0001",
  audience: device,
  issuedAt: NOW - 1000,
  notAfter: NOW + 60_000,
  kind: "wipe",
  ...more,
});
const signed = (more: Partial<CommandPayload> = {}, by = key) =>
  Buffer.from(JSON.stringify(signCommand(payload(more), by)));

describe("commands to a device", () => {
  let directory: string;
  let wiped: string[];
  let refused: string[];
  const open = () => {
    const database = openDatabase(join(directory, "agent.db"));
    const commands = new Commands({
      device,
      database,
      keysFor: async () => ({ [key.keyId]: key.publicKey }),
      now: () => NOW,
      wipe: async (id) => void wiped.push(id),
      refused: ({ code }) => void refused.push(code),
    });
    return { database, commands };
  };
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "muster-commands-"));
    wiped = [];
    refused = [];
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it("carries out a command once, also when it comes again after a restart", async () => {
    const first = open();
    await first.commands.offer(signed());
    await first.commands.offer(signed());
    first.database.close();
    const second = open();
    await second.commands.offer(signed());
    second.database.close();
    assert.deepEqual([wiped, refused], [["command_0001"], []]);
  });

  it("goes on with a wipe that a power cut came between", async () => {
    const first = open();
    await first.commands.resume();
    assert.deepEqual(wiped, []);
    await first.commands.offer(signed());
    first.database.close();
    const second = open();
    await second.commands.resume();
    second.database.close();
    assert.deepEqual(wiped, ["command_0001", "command_0001"]);
  });

  const directive = signDirective(
    {
      v: 1,
      device,
      generation: 1,
      issuedAt: NOW,
      notAfter: NOW + 1000,
      rollout: null,
      release: null,
      floor: 0,
      shadow: null,
    },
    key,
  );
  const bad: [string, Uint8Array, string][] = [
    ["another device", signed({ audience: `d${"b".repeat(20)}` }), "command.wrong-audience"],
    ["a key that nobody trusts", signed({}, stranger), "command.signature-invalid"],
    ["an end that is past", signed({ notAfter: NOW }), "command.expired"],
    ["a kind that is not known", signed({ kind: "explode" as never }), "wire.malformed"],
    ["no JSON", Buffer.from("wipe"), "wire.malformed"],
    ["more bytes than any message", Buffer.alloc(1024 * 1024, 32), "wire.oversized"],
    ["a directive", Buffer.from(JSON.stringify(directive)), "wire.malformed"],
    [
      "the signature of a directive",
      Buffer.from(JSON.stringify({ ...directive, payload: payload() })),
      "command.signature-invalid",
    ],
  ];
  for (const [name, bytes, code] of bad)
    it(`refuses a command with ${name}`, async () => {
      const { database, commands } = open();
      await commands.offer(bytes);
      await commands.offer(signed());
      database.close();
      assert.deepEqual([refused, wiped], [[code], ["command_0001"]]);
    });

  it("takes nothing that was changed anywhere", async () => {
    const { database, commands } = open();
    const whole = signed();
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const changed = Buffer.from(whole);
        changed[at] = (changed[at] ?? 0) ^ flip;
        await commands.offer(changed);
        assert.deepEqual(wiped, []);
      }),
      { numRuns: 200 },
    );
    database.close();
  });

  it("erases what the fleet gave, keeps what the owner wrote, and does not start again", async () => {
    for (const name of ["identity", "models/a/b", "run"])
      mkdirSync(join(directory, name), { recursive: true });
    const files = ["identity/device.key", "models/a/b/m.onnx", "facts.json", "agent.db", "agent.db-wal"];
    for (const name of [...files, "box.json", "agent.json"]) writeFileSync(join(directory, name), "12345");
    assert.equal(await eraseRest(directory), false, "nobody told it to");
    await refuseDecommissioned(directory);

    const told: string[] = [];
    let acked = 0;
    const end = await new Promise<MusterError>((resolve) =>
      wipe("command_0001", {
        dataDir: directory,
        outbox: {
          append: (records) => {
            for (const record of records) if (record.kind === "event") told.push(record.body.code);
            acked += 1;
            return acked;
          },
          position: () => ({ id: "o", lastSeq: acked, ackedSeq: acked, evicted: 0, bytes: 0 }),
        },
        log: { warn: () => undefined },
        now: () => NOW,
        patienceMs: 1000,
        end: resolve,
      }),
    );
    assert.equal(end.code, "agent.decommissioned");
    assert.deepEqual(told, ["command.wiping", "command.wiped"]);
    const kept = ["agent.db", "agent.db-wal", "agent.json", "box.json", "decommissioned.json", "run"];
    assert.deepEqual(readdirSync(directory).sort(), kept);
    await assert.rejects(refuseDecommissioned(directory), (error) =>
      isMusterError(error, "agent.decommissioned"),
    );
    assert.deepEqual(
      readdirSync(directory).sort(),
      kept.filter((name) => !name.startsWith("agent.db")),
    );
  });

  it("counts what it erases", async () => {
    mkdirSync(join(directory, "models"));
    writeFileSync(join(directory, "models", "m.onnx"), Buffer.alloc(2000));
    writeFileSync(join(directory, "facts.json"), Buffer.alloc(100));
    await markDecommissioned(directory, "command_0001", NOW);
    assert.deepEqual(await eraseFiles(directory), { files: 2, bytes: 2100, left: [] });
  });
});
