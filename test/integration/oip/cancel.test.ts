import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, test } from "node:test";
import { type BenchBox, until } from "../runner/bench-box.ts";
import { call, classify, infer, type Target } from "../runner/client.ts";
import { serveModels, targetsOf } from "./served.ts";

let box: BenchBox;
let target: Target;

before(async () => {
  box = await serveModels();
  target = targetsOf(box).socket;
});

after(() => box.close());

const body = JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 1], data: [1] }] });
const slowStats = async () => (await call(target, "GET", "/v2/models/slow/stats")).json.model_stats[0];

test("requests of clients that went away are not computed", async () => {
  const busy = infer(target, "slow", JSON.parse(body));
  const gone = Array.from({ length: 12 }, () => {
    const outgoing = request({
      socketPath: target.socketPath!,
      method: "POST",
      path: "/v2/models/slow/infer",
    });
    outgoing.on("error", () => {});
    outgoing.end(body, () => outgoing.destroy());
    return outgoing;
  });
  assert.equal((await busy).status, 200);
  await until(() => gone.every(({ destroyed }) => destroyed), "all clients are gone");
  assert.equal((await classify(target, [1, 2, 3, 4])).status, 200);
  const { inference_count } = await slowStats();
  assert.ok(inference_count < 13, `${inference_count} of 13 were computed`);
  assert.equal(box.inference.status().restarts, 0);
});
