import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { BenchBox, GOLDEN, isRunning, until } from "./bench-box.ts";
import { classify, infer, type Target } from "./client.ts";
import { classifier, trap } from "./models.ts";

let box: BenchBox;
let target: Target;

before(async () => {
  box = await BenchBox.create({ settings: { hangSeconds: 3, restartMinSeconds: 0.05, crashBudget: 100 } });
  await box.serve([
    await box.model("classifier", classifier(), GOLDEN.classifier),
    await box.model("trap", trap(), GOLDEN.trap),
  ]);
  target = { url: box.url };
});

after(() => box.close());

/** Does harm to the runner and checks that another one serves the same on the same addresses. */
async function survive(harm: (pid: number) => Promise<void> | void, code: string): Promise<void> {
  const { endpoint, pid, restarts } = box.inference.status();
  const crashes = box.inference.observed().crashes;
  const changes = box.changes;
  box.events.length = 0;
  await harm(pid!);
  await until(() => box.inference.status().restarts === restarts + 1, "the end of the runner is seen");
  await until(() => box.inference.status().state === "ready", "another runner serves");
  const status = box.inference.status();
  assert.notEqual(status.pid, pid);
  assert.deepEqual(status.endpoint, endpoint);
  assert.equal(status.release?.sequence, 1);
  assert.equal(status.components.length, 2);
  assert.equal(box.inference.observed().crashes, crashes + 1);
  assert.ok(box.changes >= changes + 2);
  assert.deepEqual(
    box.events.map((event) => event.code),
    [code],
  );
  assert.equal(isRunning(pid!), false);
  assert.equal((await classify(target, [1, 0, 0, 0])).status, 200);
  assert.equal((await classify({ ...target, socketPath: endpoint.socket! }, [1, 0, 0, 0])).status, 200);
}

describe("a runner that ends is started again with the same release", () => {
  test("killed from outside", () =>
    survive((pid) => {
      process.kill(pid, "SIGKILL");
    }, "runner.crashed"));

  test("killed from outside, again: it keeps its port", () =>
    survive((pid) => {
      process.kill(pid, "SIGKILL");
    }, "runner.crashed"));

  test("killed by its model, in the middle of a request", { skip: process.arch !== "x64" }, async () => {
    const inputs = ["a", "b"].map((name, index) => ({
      name,
      datatype: "INT32",
      shape: [1],
      data: [index === 0 ? -(2 ** 31) : -1],
    }));
    await survive(
      () => assert.rejects(infer(target, "trap", { inputs }), { code: "ECONNRESET" }),
      "runner.crashed",
    );
    assert.match(box.events[0]!.message, /SIGFPE/);
  });

  test("hung: it is killed after hangSeconds", () =>
    survive((pid) => {
      process.kill(pid, "SIGSTOP");
    }, "runner.hung"));
});

test("counters go on over a restart", async () => {
  box.inference.takeCounters();
  await classify(target, [1, 0, 0, 0], { parameters: { muster_durable: true } });
  const [counted] = box.inference.takeCounters();
  assert.ok(counted!.inferences > 0 && counted!.servingMs > 0);
});

test("stop ends a runner that hangs", async () => {
  const { pid } = box.inference.status();
  process.kill(pid!, "SIGSTOP");
  await box.inference.stop();
  assert.equal(isRunning(pid!), false);
  assert.equal(box.inference.status().state, "idle");
});
