import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { isMusterError } from "@muster/shared/errors";
import { BenchBox, GOLDEN, until } from "./bench-box.ts";
import { classify } from "./client.ts";
import { classifier } from "./models.ts";

test("a port that is taken is told, the socket serves meanwhile, and the port is taken over when it is free", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const box = await BenchBox.create({ settings: { port, listenRetrySeconds: 0.1 } });
  try {
    await box.serve([await box.model("classifier", classifier(), GOLDEN.classifier)]);
    const { endpoint, state } = box.inference.status();
    assert.equal(state, "ready");
    assert.equal(endpoint.url, null);
    assert.equal(endpoint.failure?.code, "runner.address-taken");
    assert.deepEqual(box.events, [endpoint.failure]);
    const url = `http://127.0.0.1:${port}`;
    assert.equal((await classify({ url, socketPath: endpoint.socket! }, [1, 0, 0, 0])).status, 200);
    other.close();
    await until(() => box.inference.status().endpoint.url === url, "the port is taken over");
    assert.equal(box.inference.status().endpoint.failure, null);
    assert.equal((await classify({ url }, [1, 0, 0, 0])).status, 200);
    assert.equal(box.events.length, 1);
  } finally {
    other.close();
    await box.close();
  }
});

test("with no address at all the state is failed until there is one", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const box = await BenchBox.create({ settings: { port, socketPath: null, listenRetrySeconds: 0.1 } });
  try {
    await box.serve([await box.model("classifier", classifier(), GOLDEN.classifier)]);
    assert.equal(box.inference.status().state, "failed");
    other.close();
    await until(() => box.inference.status().state === "ready", "the port is taken over");
  } finally {
    other.close();
    await box.close();
  }
});

test("a socket file that a killed process left is replaced, one in use is not", async () => {
  const box = await BenchBox.create({ settings: { port: null } });
  const path = join(box.directory, "i.sock");
  const script = `require("net").createServer().listen(${JSON.stringify(path)}, () => console.log("up"))`;
  const holder = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    await once(holder.stdout, "data");
    const models = [await box.model("classifier", classifier(), GOLDEN.classifier)];
    await box.serve(models);
    assert.equal(box.inference.status().endpoint.failure?.code, "runner.address-taken");
    await box.inference.idle();
    holder.kill("SIGKILL");
    await once(holder, "exit");
    await box.serve(models);
    assert.equal(box.inference.status().state, "ready");
    assert.equal((await classify({ url: "http://localhost", socketPath: path }, [1, 0, 0, 0])).status, 200);
  } finally {
    holder.kill("SIGKILL");
    await box.close();
  }
});

test("a plain file in place of the socket is left alone and told", async () => {
  const box = await BenchBox.create({ settings: { port: null } });
  try {
    await writeFile(join(box.directory, "i.sock"), "not ours");
    await box.serve([await box.model("classifier", classifier(), GOLDEN.classifier)]);
    assert.equal(box.inference.status().state, "failed");
    assert.equal(box.events[0]?.code, "runner.address-taken");
  } finally {
    await box.close();
  }
});

const wrong: [string, object][] = [
  ["a port beyond the range", { port: 70_000 }],
  ["a port that is a fraction", { port: 80.5 }],
  ["a socket path that is too long", { socketPath: `/tmp/${"x".repeat(120)}` }],
  ["no address", { port: null, socketPath: null }],
];
for (const [what, settings] of wrong)
  test(`${what} is refused`, async () => {
    await assert.rejects(BenchBox.create({ settings }), (error) => isMusterError(error, "settings.invalid"));
  });
