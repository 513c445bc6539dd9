import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Endpoint } from "@muster/agent/inference/endpoint";
import { DEFAULT_INFERENCE_SETTINGS } from "@muster/agent/inference/settings";

/** A runner that counts how often its end was asked about. */
function runnerOf(pid: number) {
  let end: () => void = () => {};
  const exited = new Promise<void>((resolve) => {
    end = resolve;
  });
  const runner = {
    pid,
    asked: 0,
    get exited() {
      runner.asked += 1;
      return exited;
    },
  };
  return { runner, end };
}

test("an address that stays taken is asked for again and again at no growing cost", async () => {
  const directory = mkdtempSync(join(tmpdir(), "muster-endpoint-"));
  const settings = { ...DEFAULT_INFERENCE_SETTINGS, port: 0, socketPath: join(directory, "i.sock") };
  const endpoint = new Endpoint(settings);
  const asked: (number | null)[] = [];
  const open = (runner: { pid: number; exited: Promise<void> }) =>
    endpoint.open(
      runner,
      "default-cpu",
      "all",
      async ({ port, socketPath, grpcPort, groupPath, ownPath }) => {
        asked.push(port);
        const granted = port === 0 ? 40_000 : port;
        return { kind: "listening", port: granted, socketPath, grpcPort, groupPath, ownPath, failure: null };
      },
    );
  try {
    const { runner, end } = runnerOf(1);
    for (let times = 0; times < 5; times++) await open(runner);
    assert.equal(runner.asked, 1);
    end();
    await runner.exited;
    await open(runnerOf(2).runner);
    assert.deepEqual(asked, [0, 0, 0, 0, 0, 40_000], "a free port is fixed once its last holder is gone");
  } finally {
    endpoint.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
