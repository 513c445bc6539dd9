import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

/** Benches by name with the figures that they must print; what the figures say is not a test's business. */
const BENCHES: Record<string, string[]> = {
  path: [
    "ours over bare broker, same batches",
    "ours over bare broker, a result a message",
    "ours",
    "bare broker, same batches",
    "bare broker, a result a message",
  ],
  agent: [
    "core memory over bare Node",
    "runner memory over bare Node",
    "bare Node memory",
    "core memory",
    "runner memory",
    "core idle processor",
    "runner idle processor",
  ],
  fleet: [
    "devices",
    "time until all are online",
    "control plane, share of a core",
    "event loop delay, p99",
    "event loop delay, longest",
    "memory of the control plane",
    "age of the fleet view, p99",
    "lists and filters of the API, p99",
    "most messages, ours over bare broker",
    "most messages, ours",
    "most messages, ours over what 10,000 devices send",
    "most messages, bare broker",
  ],
  reconnect: [
    "devices",
    "control plane away",
    "all online again after",
    "half online again after",
    "99 % online again after",
    "longest wait over median",
    "control plane, peak share of a core",
    "records lost",
  ],
  inference: [
    "one client, conv int8: p50 over a bare run",
    "one client, conv int8: p50",
    "bare run, conv int8: p50",
    "32 clients, tiny: rate over a server without work",
    "32 clients, tiny: rate over the same unbatched",
    "32 clients, tiny: batched",
    "32 clients, tiny: unbatched",
    "32 clients: server without work",
    "32 clients, conv int8: rate over bare runs",
    "32 clients, conv int8",
    "bare runs, conv int8",
    "30 Hz stream, conv int8: share of a core",
    "30 Hz stream, conv int8: p50",
    "30 Hz stream, conv int8: p99",
    "shadow at 10 %: live p99 over p99 alone",
    "shadow at 10 %: live p99",
    "shadow at 10 %: requests compared",
    "killed every second: requests answered",
    "killed every second: connections lost",
    "killed every second: wrong answers",
    "killed every second: kills",
    "killed every second: until it serves again, median",
    "conv: fp32 time over int8",
    "conv: int8",
    "conv: fp32",
    "conv: fp32 size over int8",
    "conv: same class",
    "wide: fp32 time over int8",
    "wide: int8",
    "wide: fp32",
    "wide: fp32 size over int8",
    "wide: same class",
  ],
  attest: [
    "quotes alone over bare signature checks, RSA 2048",
    "evidence end to end over bare signature checks, RSA 2048",
    "evidence end to end, RSA 2048",
    "quotes alone, RSA 2048",
    "bare signature checks, RSA 2048",
    "quotes alone over bare signature checks, P-256",
    "evidence end to end over bare signature checks, P-256",
    "evidence end to end, P-256",
    "quotes alone, P-256",
    "bare signature checks, P-256",
    "quote from Node, connected, p50",
    "quote from Node, connected, p99",
    "quote from Node, new connection, p50",
    "tpm2_quote, p50",
    "quote from Node against tpm2_quote",
    "new connection against tpm2_quote",
    "enrollment with a TPM, p50",
    "enrollment without, p50",
  ],
};

for (const [name, figures] of Object.entries(BENCHES))
  test(`bench:${name} --quick measures and prints its figures`, () => {
    const script = fileURLToPath(new URL(`../bench/${name}/main.js`, import.meta.url));
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, "--quick"], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    const printed = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
    assert.equal(printed.bench, name);
    assert.deepEqual(
      printed.figures.map((figure: { name: string }) => figure.name),
      figures,
    );
    for (const { value } of printed.figures) assert.ok(Number.isFinite(value) && value >= 0, stdout);
  });
