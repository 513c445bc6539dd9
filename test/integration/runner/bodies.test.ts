import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { BodyReader } from "@muster/agent/runner/bodies";
import { errorAnswer, jsonAnswer, send } from "@muster/agent/runner/http";
import { isMusterError } from "@muster/shared/errors";
import { until } from "./bench-box.ts";
import { call } from "./client.ts";

test("bodies count as held until their work is done, and what is too much is refused", async () => {
  const reader = new BodyReader(1000, 1500);
  const atWork: (() => void)[] = [];
  const server = createServer((request, response) => {
    reader
      .use(request, (body) => new Promise<number>((resolve) => atWork.push(() => resolve(body.length))))
      .then((length) => jsonAnswer(200, { length }), errorAnswer)
      .then((answer) => {
        request.resume();
        send(response, answer);
      });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const target = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  const post = (size: number) => call(target, "POST", "/", Buffer.alloc(size));
  try {
    const first = post(1000);
    await until(() => atWork.length === 1, "the first is at work");
    const refused = await post(600);
    assert.equal(refused.status, 503);
    assert.equal(refused.json.code, "inference.overloaded");
    const small = post(500);
    await until(() => atWork.length === 2, "the small one is at work");
    for (const finish of atWork.splice(0)) finish();
    assert.deepEqual([(await first).json, (await small).json], [{ length: 1000 }, { length: 500 }]);
    const again = post(1000);
    await until(() => atWork.length === 1, "there is room again");
    for (const finish of atWork) finish();
    assert.equal((await again).status, 200);
  } finally {
    server.close();
  }
});

test("what is made of bodies is bounded all together, and one alone is always let through", async () => {
  const reader = new BodyReader(1000, 1500);
  let finish = () => {};
  const first = reader.holdMade(9000, () => new Promise<void>((resolve) => (finish = resolve)));
  await assert.rejects(
    reader.holdMade(1, async () => {}),
    (error) => isMusterError(error, "inference.overloaded"),
  );
  finish();
  await first;
  await Promise.all([700, 800].map((bytes) => reader.holdMade(bytes, async () => {})));
});
