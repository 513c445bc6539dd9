import assert from "node:assert/strict";
import { test } from "node:test";
import { BoundedQueue } from "@muster/agent/feeder/bounded-queue";
import { type Sink, Source } from "@muster/agent/feeder/config";
import { feederFault } from "@muster/agent/feeder/config-rules";
import { contentTypeOf } from "@muster/agent/feeder/content-type";
import { EventLimit } from "@muster/agent/feeder/event-limit";
import { nextStep, type Reply } from "@muster/agent/feeder/next-step";
import { Pace } from "@muster/agent/feeder/pace";
import { topicOf } from "@muster/agent/feeder/sinks/mqtt-sink";
import { watched } from "@muster/agent/feeder/sources/file-pattern";
import { validate } from "@muster/shared/protocol/validate";
import fc from "fast-check";

test("a queue never holds more than its limit and lets go by its rule", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10 }),
      fc.constantFrom("oldest" as const, "newest" as const),
      fc.array(fc.integer(), { maxLength: 40 }),
      (limit, drop, items) => {
        const queue = new BoundedQueue<number>(limit, drop);
        const gone = items.map((item) => queue.push(item)).filter((item) => item !== undefined);
        assert.equal(queue.size, Math.min(limit, items.length));
        const excess = Math.max(0, items.length - limit);
        assert.deepEqual(gone, drop === "oldest" ? items.slice(0, excess) : items.slice(limit));
        assert.deepEqual(queue.close(), drop === "oldest" ? items.slice(excess) : items.slice(0, limit));
      },
    ),
  );
});

test("who waits at a queue gets the next item, or nothing when it closes", async () => {
  const queue = new BoundedQueue<number>(1, "oldest");
  const first = queue.take();
  assert.equal(queue.push(1), undefined);
  assert.equal(await first, 1);
  const second = queue.take();
  queue.close();
  assert.equal(await second, undefined);
  assert.equal(await queue.take(), undefined);
});

test("turns come at the pace, without a burst after a pause", () => {
  const pace = new Pace(10);
  assert.deepEqual(
    [pace.turn(0), pace.turn(0), pace.turn(50), pace.turn(1000), pace.turn(1000)],
    [0, 100, 150, 0, 100],
  );
  assert.deepEqual(
    [new Pace(undefined)].map((free) => [free.turn(0), free.turn(0)]),
    [[0, 0]],
  );
});

test("what the runner says decides what happens to an input", () => {
  const answer = (status: number, code?: string, retryAfterSeconds?: number): Reply => ({
    status,
    code,
    retryAfterSeconds,
  });
  const none = (reason: string): Reply => ({ status: null, reason });
  const cases: [Reply, number, object][] = [
    [answer(200), 0, { take: "answered" }],
    [answer(503, "inference.overloaded", 2), 7, { take: "again", afterMs: 2000, counted: false }],
    [answer(503, "inference.deferred", 7200), 0, { take: "again", afterMs: 60_000, counted: false }],
    [answer(503, "model.not-ready"), 0, { take: "again", afterMs: 1000, counted: false }],
    [answer(504, "inference.expired"), 0, { take: "expired" }],
    [answer(404, "model.not-found"), 0, { take: "again", afterMs: 5000, counted: false }],
    [answer(400, "media.invalid"), 0, { take: "rejected" }],
    [answer(415, "media.unsupported"), 0, { take: "rejected" }],
    [answer(500, "inference.failed"), 0, { take: "again", afterMs: 500, counted: true }],
    [answer(500, "inference.failed"), 2, { take: "rejected" }],
    [none("ENOENT"), 99, { take: "again", afterMs: 500, counted: false }],
    [none("ECONNREFUSED"), 99, { take: "again", afterMs: 500, counted: false }],
    [none("ECONNRESET"), 0, { take: "again", afterMs: 500, counted: true }],
    [none("ECONNRESET"), 1, { take: "rejected" }],
  ];
  for (const [reply, counted, step] of cases)
    assert.deepEqual(nextStep(reply, counted), step, JSON.stringify(reply));
});

test("the same event is told once a minute, and ten of a code at most", () => {
  const limit = new EventLimit();
  assert.deepEqual([limit.passes("a", "x", 0), limit.passes("a", "x", 59_999)], [true, false]);
  assert.equal(limit.passes("b", "x", 1), true);
  assert.equal(limit.passes("a", "x", 60_000), true);
  const told = Array.from({ length: 50 }, (_, at) => limit.passes("c", `${at}`, at)).filter(Boolean);
  assert.equal(told.length, 10);
  assert.equal(limit.passes("c", "49", 60_000), true);
});

test("files are taken by pattern, never hidden ones", () => {
  const jpegs = watched("/data/in/cam?-*.jpg");
  assert.equal(jpegs.folder, "/data/in");
  assert.deepEqual(["cam1-a.jpg", "cam-a.jpg", "cam1-a.jpgx", ".cam1-a.jpg", "cam1-a+jpg"].map(jpegs.takes), [
    true,
    false,
    false,
    false,
    false,
  ]);
  const all = watched("/data/in");
  assert.deepEqual([all.folder, all.takes("x"), all.takes(".x")], ["/data/in", true, false]);
});

test("a body is known by its first bytes, then by its name", () => {
  assert.equal(contentTypeOf(Uint8Array.of(0xff, 0xd8, 0xff), "x.bin"), "image/jpeg");
  assert.equal(contentTypeOf(Uint8Array.of(0x89, 0x50, 0x4e, 0x47), "x"), "image/png");
  assert.equal(contentTypeOf(Uint8Array.of(1, 2), "x.PNG"), "image/png");
  assert.equal(contentTypeOf(Uint8Array.of(0x7b), "x.json"), "application/json");
  assert.equal(contentTypeOf(Uint8Array.of(1, 2), "x.raw"), "application/x-muster-signal");
});

test("names in a topic never change its levels", () => {
  const result = { source: "cam", id: "a/b+#", origin: "", at: 0, model: "m", ok: true };
  assert.equal(topicOf("out/{source}/{model}/{version}/{id}", result), "out/cam/m/none/a-b--");
});

const file: Source = { kind: "file", name: "in", model: "m", path: "/in" };
const mqtt: Source = { kind: "mqtt", name: "bus", model: "m", url: "mqtt://127.0.0.1:1883", topic: "a/+/#" };
const hook: Sink = { kind: "webhook", name: "hook", url: "http://127.0.0.1/x" };

test("sources and sinks that cannot work are told apart by a sentence", () => {
  assert.equal(feederFault([file, { ...mqtt, sinks: ["hook"] }], [hook]), undefined);
  const cases: [Source[], Sink[], RegExp][] = [
    [[file, file], [], /the name in is there twice/],
    [[file], [hook, hook], /the name hook is there twice/],
    [[{ ...file, sinks: ["none"] }], [hook], /names sink none/],
    [[{ ...file, done: { move: "/in" } }], [], /moves files to where it takes them/],
    [[{ ...mqtt, topic: "a/#/b" }], [], /topic filter/],
    [[{ ...mqtt, topic: "a/b+" }], [], /topic filter/],
    [[{ ...mqtt, passwordFile: "secret" }], [], /must be absolute/],
    [[file], [{ ...hook, secretFile: "./s" }], /must be absolute/],
  ];
  for (const [sources, sinks, fault] of cases) assert.match(feederFault(sources, sinks) ?? "", fault);
});

test("no secret can stand in a URL and nothing unknown in a source", () => {
  const ok = (source: object) => validate(Source, source, "settings.invalid");
  ok(mqtt);
  for (const wrong of [
    { ...mqtt, url: "mqtt://user:password@host" },
    { ...mqtt, password: "x" },
    { ...file, path: "relative" },
    { ...file, kind: "ftp" },
    { kind: "http", name: "cam", model: "m", url: "http://a:b@host/", everyMs: 100 },
  ])
    assert.throws(() => ok(wrong), { code: "settings.invalid" }, JSON.stringify(wrong));
});
