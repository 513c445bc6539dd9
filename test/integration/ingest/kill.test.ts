import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { openStores } from "@muster/control-plane/storage/database";
import { dayTableName } from "@muster/control-plane/storage/day-tables";
import type { Ack } from "@muster/shared/protocol/messages";
import { downFilter, upTopic } from "@muster/shared/protocol/topics";
import { type Credentials, connectMqtt } from "../../support/fleet/client.ts";
import { batch, results } from "../../support/fleet/messages.ts";

const MAIN = fileURLToPath(new URL("../../support/fleet/main.js", import.meta.url));
const BATCH = 50;

it("has stored what it acknowledged when it is killed in the midst of its work", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "muster-kill-"));
  const child = spawn(process.execPath, [MAIN, dataDir], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
    const { mqttPort, ca, device } = JSON.parse(line) as {
      mqttPort: number;
      ca: string;
      device: Credentials;
    };
    const client = await connectMqtt({ mqttPort, authority: { certificate: ca } }, device);
    await client.subscribeAsync(downFilter(device.id), { qos: 1 });

    let acknowledged = 0;
    let acks = 0;
    client.on("message", (_topic, payload) => {
      acknowledged = (JSON.parse(payload.toString()) as Ack).upTo;
      acks += 1;
      if (acks === 5) child.kill("SIGKILL");
    });
    let seq = 0;
    const gone = once(child, "exit");
    const sending = setInterval(() => {
      if (!client.connected) return;
      const records = results(seq + 1, seq + BATCH);
      seq += BATCH;
      const text = JSON.stringify(batch("session-1", records));
      client.publish(upTopic(device.id, "batch"), text, { qos: 1 }, () => {});
    }, 2);
    await gone;
    clearInterval(sending);
    client.end(true);

    assert.ok(acknowledged > 0);
    const stores = await openStores(dataDir);
    const stored = stores.telemetryRaw
      .prepare(`SELECT seq FROM ${dayTableName("results", Date.now())} ORDER BY seq`)
      .pluck()
      .all() as number[];
    const { up_to: position } = await stores.telemetry
      .selectFrom("outbox_positions")
      .select("up_to")
      .executeTakeFirstOrThrow();
    const count = await stores.telemetry
      .selectFrom("result_counts")
      .select("stored")
      .executeTakeFirstOrThrow();
    await stores.close();
    assert.ok(position >= acknowledged, `${position} is stored, ${acknowledged} was acknowledged`);
    assert.deepEqual(
      stored,
      Array.from({ length: position }, (_, index) => index + 1),
    );
    assert.equal(count.stored, position);
  } finally {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await rm(dataDir, { recursive: true, force: true });
  }
});
