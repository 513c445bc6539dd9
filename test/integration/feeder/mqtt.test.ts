import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { until } from "../runner/bench-box.ts";
import { FeederBox, signal } from "./feeder-box.ts";
import { LocalBroker } from "./local-broker.ts";

test("what comes on a topic of a local broker is answered, and its results go out on another", async () => {
  const broker = await LocalBroker.start();
  const box = await FeederBox.create();
  try {
    box.start(
      [{ kind: "mqtt", name: "bus", model: "classifier", url: broker.url, topic: "sensors/+/raw", qos: 1 }],
      [
        {
          kind: "mqtt",
          name: "out",
          url: broker.url,
          topic: "results/{source}/{model}",
          qos: 1,
          retain: true,
        },
      ],
    );
    await until(() => broker.aedes.connectedClients >= 1, "the source is there");
    await until(async () => {
      await broker.send("sensors/a/raw", signal(1), 1);
      return broker.published.length > 0;
    }, "a result comes back");
    const [{ topic, payload, qos, retain }] = broker.published as [(typeof broker.published)[number]];
    assert.deepEqual([topic, qos, retain], ["results/bus/classifier", 1, true]);
    const result = JSON.parse(payload.toString());
    assert.equal(result.ok, true);
    assert.equal(result.origin, "sensors/a/raw");
    const label = result.response.outputs.find(({ name }: { name: string }) => name === "class_label");
    assert.deepEqual(label.data, ["green"]);
    await until(() => box.recorded("bus").some(({ body: { id } }) => id === result.id), "it is on record");
    await broker.send("sensors/b/raw", Uint8Array.of(1, 2, 3), 1);
    await until(
      () => broker.published.some((each) => !JSON.parse(each.payload.toString()).ok),
      "a refusal is told too",
    );
    assert.equal(box.events.at(-1)?.code, "source.rejected");
  } finally {
    await box.close();
    await broker.close();
  }
});

test("tensors in JSON are taken as they are, with the result's id put in", async () => {
  const broker = await LocalBroker.start();
  const box = await FeederBox.create();
  try {
    box.start([
      { kind: "mqtt", name: "bus", model: "classifier", url: broker.url, topic: "t", tier: "critical" },
    ]);
    const request = { inputs: [{ name: "x", datatype: "FP32", shape: [1, 4], data: [0, 0, 0, 9] }] };
    await until(async () => {
      await broker.send("t", Buffer.from(JSON.stringify(request)));
      return box.recorded("bus").length > 0;
    }, "it is answered");
    const [{ body }] = box.recorded("bus") as [ReturnType<typeof box.recorded>[number]];
    assert.deepEqual([body.top?.label, body.tier], ["none", "critical"]);
  } finally {
    await box.close();
    await broker.close();
  }
});

test("a broker with TLS and a login is used with secrets from files, and a wrong one is told without it", async () => {
  const login = { username: "press", password: "correct horse" };
  const broker = await LocalBroker.start({ login, tls: true });
  const box = await FeederBox.create();
  try {
    const caFile = join(box.directory, "ca.pem");
    await writeFile(caFile, broker.ca!);
    const source = {
      kind: "mqtt",
      name: "bus",
      model: "classifier",
      url: broker.url,
      topic: "t",
      username: login.username,
      caFile,
    } as const;
    const wrong = { ...source, name: "wrong", passwordFile: await box.secret("wrong", "tell nobody") };
    const missing = { ...source, name: "missing", passwordFile: join(box.directory, "nothing") };
    box.start([{ ...source, passwordFile: await box.secret("right", login.password) }, wrong, missing]);
    await until(async () => {
      await broker.send("t", signal(0));
      return box.labels("bus").includes("red");
    }, "it is answered");
    await until(() => box.events.length >= 2, "both troubles are told");
    const told = JSON.stringify([box.events, box.feeder!.status()]);
    assert.match(told, /Source wrong: /);
    assert.match(told, /nothing cannot be read/);
    for (const secret of [login.password, "tell nobody"]) assert.ok(!told.includes(secret));
  } finally {
    await box.close();
    await broker.close();
  }
});

test("a broker that goes and comes back is used again", async () => {
  let broker = await LocalBroker.start();
  const { port, url } = broker;
  const box = await FeederBox.create();
  try {
    box.start(
      [{ kind: "mqtt", name: "bus", model: "classifier", url, topic: "t" }],
      [{ kind: "mqtt", name: "out", url, topic: "out" }],
    );
    const answered = async () => {
      await broker.send("t", signal(3));
      return broker.published.length > 0;
    };
    await until(answered, "a result comes back");
    await broker.close();
    await until(() => box.events.some(({ code }) => code === "source.unreachable"), "it is told");
    broker = await LocalBroker.start({ port });
    await until(answered, "a result comes back again");
  } finally {
    await box.close();
    await broker.close();
  }
});

test("more than is worked off is dropped by the rule of the queue, and counted", async () => {
  const broker = await LocalBroker.start();
  const box = await FeederBox.create();
  try {
    box.start([
      {
        kind: "mqtt",
        name: "bus",
        model: "classifier",
        url: broker.url,
        topic: "t",
        maxPerSecond: 5,
        queue: { limit: 3, drop: "oldest" },
      },
    ]);
    await until(async () => {
      await broker.send("t", signal(0));
      return box.recorded("bus").length > 0;
    }, "it listens");
    for (let count = 0; count < 50; count++) await broker.send("t", signal(count % 4));
    await until(() => (box.source("bus")?.dropped ?? 0) > 20, "most are dropped");
    const { waiting } = box.source("bus")!;
    assert.ok(waiting <= 3);
    await until(() => {
      const { received, answered, dropped, expired, rejected, waiting } = box.source("bus")!;
      return waiting === 0 && received === answered + dropped + expired + rejected;
    }, "nothing is lost uncounted");
    assert.ok(box.events.some(({ code }) => code === "source.dropped"));
  } finally {
    await box.close();
    await broker.close();
  }
});
