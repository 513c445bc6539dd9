import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ResultRecord } from "@muster/agent/inference/ports";
import { ResultBuffer } from "@muster/agent/runner/results";
import { isMusterError } from "@muster/shared/errors";

const record = (id: string): ResultRecord => ({
  at: 1,
  body: {
    id,
    model: "m",
    version: "1",
    variant: "v",
    digest: `sha256:${"0".repeat(64)}`,
    provider: "cpu",
    latencyUs: 1,
    ok: true,
    top: null,
  },
});
const records = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, index) => record(`${prefix}${index}`));

interface Message {
  batch: number;
  ids: string[];
  dropped: number;
}

/** A buffer whose messages are collected and answered by the test. */
function setUp(limit: number) {
  const messages: Message[] = [];
  const buffer = new ResultBuffer(limit, (batch, sent, dropped) =>
    messages.push({ batch, ids: sent.map(({ body }) => body.id), dropped }),
  );
  const next = async (): Promise<Message> => {
    while (messages.length === 0) await sleep(2);
    return messages.shift()!;
  };
  return { buffer, messages, next };
}

describe("results on their way to the supervisor", () => {
  test("gather, and travel one message at a time", async () => {
    const { buffer, messages, next } = setUp(100);
    buffer.add(records("a", 2));
    buffer.add(records("b", 1));
    const first = await next();
    assert.deepEqual(first.ids, ["a0", "a1", "b0"]);
    const waiting = buffer.store(records("c", 1));
    buffer.add(records("d", 1));
    await sleep(80);
    assert.equal(messages.length, 0);
    buffer.stored(first.batch, undefined);
    const second = await next();
    assert.deepEqual(second.ids, ["c0", "d0"]);
    buffer.stored(second.batch, undefined);
    await waiting;
    await buffer.emptied();
  });

  test("a caller who waits hears why its result was not stored; other results are tried again", async () => {
    const { buffer, next } = setUp(100);
    buffer.add(records("a", 1));
    const waiting = buffer.store(records("b", 1));
    const first = await next();
    assert.deepEqual(first.ids, ["a0", "b0"]);
    buffer.stored(first.batch, { code: "outbox.full", message: "full" });
    await assert.rejects(waiting, (error) => isMusterError(error, "outbox.full"));
    const again = await next();
    assert.deepEqual(again.ids, ["a0"]);
    buffer.stored(again.batch, undefined);
    await buffer.emptied();
  });

  test("an answer to an older message changes nothing", async () => {
    const { buffer, next } = setUp(100);
    const waiting = buffer.store(records("a", 1));
    const { batch } = await next();
    buffer.stored(batch - 1, { code: "outbox.full", message: "old" });
    buffer.stored(batch, undefined);
    buffer.stored(batch, { code: "outbox.full", message: "twice" });
    await waiting;
  });

  test("rows of one request that travel in two messages are one promise", async () => {
    const { buffer, next } = setUp(5000);
    let done = false;
    const waiting = buffer.store(records("r", 1500)).then(() => {
      done = true;
    });
    const first = await next();
    assert.equal(first.ids.length, 1000);
    buffer.stored(first.batch, undefined);
    const second = await next();
    assert.equal(done, false);
    buffer.stored(second.batch, undefined);
    await waiting;
  });
});

describe("at the limit", () => {
  test("the oldest that nobody waits for go first, and are counted", async () => {
    const { buffer, next } = setUp(3);
    buffer.add(records("a", 2));
    const waiting = buffer.store(records("b", 1));
    buffer.add(records("c", 2));
    const message = await next();
    assert.deepEqual(message.ids, ["b0", "c0", "c1"]);
    assert.equal(message.dropped, 2);
    buffer.stored(message.batch, undefined);
    await waiting;
  });

  test("when all are waited for a new one is refused", async () => {
    const { buffer, next } = setUp(2);
    const waiting = buffer.store(records("a", 2));
    await assert.rejects(buffer.store(records("b", 1)), (error) =>
      isMusterError(error, "inference.overloaded"),
    );
    const message = await next();
    assert.deepEqual(message.ids, ["a0", "a1"]);
    buffer.stored(message.batch, undefined);
    await waiting;
  });

  test("a request with more rows than the limit is refused", async () => {
    const { buffer } = setUp(2);
    await assert.rejects(buffer.store(records("a", 3)), (error) =>
      isMusterError(error, "inference.overloaded"),
    );
  });
});
