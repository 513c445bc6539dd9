import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { png } from "../../unit/pipeline/pictures.ts";
import { until } from "../runner/bench-box.ts";
import { FeederBox, PICTURE_PIPELINE, Receiver, signal } from "./feeder-box.ts";

test("the still picture of a camera becomes a label, again and again, and bad ones harm nothing", async () => {
  const box = await FeederBox.create(PICTURE_PIPELINE);
  const good = await png(2, 2, 1, Uint8Array.of(0, 0, 200, 0));
  const answers = [
    { status: 200, body: good },
    { status: 500, body: Buffer.from("later") },
    { status: 200, body: good.subarray(0, 50) },
    { status: 401, body: Buffer.from("") },
    { status: 200, body: good },
  ];
  let count = 0;
  const camera = await Receiver.listen((request, response) => {
    assert.equal(
      request.headers.authorization,
      `Basic ${Buffer.from("viewer:open sesame").toString("base64")}`,
    );
    const { status, body } = answers[count++ % answers.length]!;
    response.writeHead(status, { "content-type": "image/png" }).end(body);
  });
  try {
    const { pid } = box.bench.inference.status();
    box.start([
      {
        kind: "http",
        name: "camera",
        model: "classifier",
        url: `${camera.url}/still.png?token=hush`,
        everyMs: 20,
        username: "viewer",
        passwordFile: await box.secret("password", "open sesame"),
      },
    ]);
    await until(() => box.recorded("camera").length >= 4, "several are answered");
    assert.ok(box.labels("camera").every((label) => label === "blue"));
    const codes = new Set(box.events.map(({ code }) => code));
    assert.deepEqual([...codes].sort(), ["source.rejected", "source.unreachable"]);
    for (const secret of ["open sesame", "hush"]) assert.ok(!JSON.stringify(box.events).includes(secret));
    assert.equal(box.bench.inference.status().pid, pid);
  } finally {
    await box.close();
    await camera.close();
  }
});

test("a picture that has not changed is left out where that is asked for", async () => {
  const box = await FeederBox.create(PICTURE_PIPELINE);
  const pictures = [
    await png(2, 2, 1, Uint8Array.of(200, 0, 0, 0)),
    await png(2, 2, 1, Uint8Array.of(0, 200, 0, 0)),
  ];
  let shown = 0;
  const camera = await Receiver.listen((_request, response) => response.end(pictures[shown]));
  try {
    box.start([
      { kind: "http", name: "camera", model: "classifier", url: camera.url, everyMs: 10, skipSame: true },
    ]);
    await until(() => camera.received.length > 20, "it was asked often");
    shown = 1;
    await until(() => box.recorded("camera").length === 2, "both are answered");
    const asked = camera.received.length;
    await until(() => camera.received.length > asked + 10, "it was asked more");
    assert.deepEqual(box.labels("camera"), ["red", "green"]);
  } finally {
    await box.close();
    await camera.close();
  }
});

test("a source that hangs and one that floods hold up no other", async () => {
  const box = await FeederBox.create();
  const hung = await Receiver.listen(() => {});
  const flood = await Receiver.listen((_request, response) => response.end(signal(0)));
  try {
    const path = await box.folder("in");
    await writeFile(join(path, "a.raw"), signal(2));
    const model = "classifier";
    box.start([
      { kind: "http", name: "hung", model, url: hung.url, everyMs: 10, timeoutMs: 60_000 },
      {
        kind: "http",
        name: "flood",
        model,
        url: flood.url,
        everyMs: 10,
        queue: { limit: 2 },
        maxPerSecond: 1,
      },
      { kind: "http", name: "nowhere", model: "none", url: flood.url, everyMs: 10, queue: { limit: 2 } },
      { kind: "file", name: "in", model, path, settleMs: 0, scanMs: 20 },
    ]);
    await until(() => box.labels("in").length === 1, "the file is answered");
    await until(() => (box.source("flood")?.dropped ?? 0) > 3, "the flood is dropped");
    await writeFile(join(path, "b.raw"), signal(3));
    await until(() => box.labels("in").length === 2, "the second file is answered");
  } finally {
    await box.close();
    await hung.close();
    await flood.close();
  }
});

test("a webhook gets signed results, tried again until it takes them, and none again", async () => {
  const box = await FeederBox.create();
  const statuses = [500, 429, 200, 200, 400, 200];
  const hook = await Receiver.listen((_request, response, _got) => {
    response.writeHead(statuses[hook.received.length - 1] ?? 200).end();
  });
  try {
    const path = await box.folder("in");
    const secretFile = await box.secret("key", "shared key");
    box.start(
      [{ kind: "file", name: "in", model: "classifier", path, settleMs: 0, scanMs: 20 }],
      [{ kind: "webhook", name: "hook", url: `${hook.url}/results`, secretFile }],
    );
    for (const color of [0, 1, 2, 3]) {
      await writeFile(join(path, `${color}.raw`), signal(color));
      await until(() => box.recorded("in").length === color + 1, "it is answered");
    }
    await until(() => box.sink("hook")?.delivered === 3 && box.sink("hook")?.failed === 1, "all are settled");
    const labels = hook.received.map(
      ({ json }) =>
        json.response.outputs.find(({ name }: { name: string }) => name === "class_label").data[0],
    );
    assert.deepEqual(labels, ["red", "red", "red", "green", "blue", "none"]);
    for (const { headers, body, path, json } of hook.received) {
      assert.equal(path, "/results");
      const [, seconds, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers["muster-signature"])) ?? [];
      const want = createHmac("sha256", "shared key").update(`${seconds}.`).update(body).digest("hex");
      assert.equal(mac, want);
      assert.deepEqual([json.source, json.model, json.ok], ["in", "classifier", true]);
      assert.equal(headers["muster-result"], json.id);
    }
    assert.deepEqual([...new Set(box.events.map(({ code }) => code))].sort(), [
      "sink.refused",
      "sink.undelivered",
    ]);
    assert.ok(!JSON.stringify(box.events).includes("shared key"));
  } finally {
    await box.close();
    await hook.close();
  }
});

test("a webhook that is away keeps the newest results and holds up no inference", async () => {
  const box = await FeederBox.create();
  let isThere = false;
  const hook = await Receiver.listen((request, response) => {
    if (isThere) response.end();
    else request.socket.destroy();
  });
  try {
    const path = await box.folder("in");
    box.start(
      [{ kind: "file", name: "in", model: "classifier", path, settleMs: 0, scanMs: 20 }],
      [{ kind: "webhook", name: "hook", url: hook.url, queueLimit: 3, tries: 100 }],
    );
    for (let count = 0; count < 12; count++) await writeFile(join(path, `${count}.raw`), signal(count % 4));
    await until(() => box.recorded("in").length === 12, "all are answered");
    await until(() => (box.sink("hook")?.dropped ?? 0) > 0, "the oldest are dropped");
    isThere = true;
    await until(() => {
      const { delivered, dropped, failed, waiting } = box.sink("hook")!;
      return waiting === 0 && delivered + dropped + failed === 12 && delivered >= 3;
    }, "the rest is delivered");
  } finally {
    await box.close();
    await hook.close();
  }
});

test("sources whose process could not be started are started a moment later", async () => {
  const box = await FeederBox.create();
  const { execPath } = process;
  const camera = await Receiver.listen((_request, response) => response.end(signal(2)));
  try {
    process.execPath = join(box.directory, "nowhere");
    box.start([{ kind: "http", name: "camera", model: "classifier", url: camera.url, everyMs: 20 }]);
    await until(() => box.events.length > 0, "it is told");
    assert.equal(box.events[0]?.code, "feeder.crashed");
    process.execPath = execPath;
    await until(() => box.recorded("camera").length > 0, "it works");
  } finally {
    process.execPath = execPath;
    await box.close();
    await camera.close();
  }
});
