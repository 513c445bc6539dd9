import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { emptyJournal, type JournalState } from "@muster/agent/update/journal-state";
import { EffectLoop, type LoopContext } from "@muster/agent/update/loop";
import { type JournalEvent, transition } from "@muster/agent/update/machine";
import { defaultUpdateSettings } from "@muster/agent/update/settings";
import { MusterError } from "@muster/shared/errors";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import { sha256 } from "@muster/shared/trust/digest";

const text = (version: string) => `the manifest of ${version}`;
const release = (version: string, sequence: number): ReleaseRef => ({
  name: "eyes",
  version,
  sequence,
  digest: sha256(text(version)),
});
const ordered = (generation: number, target: ReleaseRef): JournalEvent => ({
  type: "ordered",
  order: { generation, rollout: null, release: target, notAfter: 1000, shadow: null },
  healthy: true,
});

/** A loop whose one effect is to resolve: it ends when the test says so. */
function makeLoop() {
  let state: JournalState = emptyJournal;
  const stored: string[] = [];
  const calls: { release: ReleaseRef; resolve: () => void; reject: (error: MusterError) => void }[] = [];
  const waits: number[] = [];
  const journal = {
    get state() {
      return state;
    },
    apply(event: JournalEvent, also: () => void = () => undefined) {
      state = transition(state, event, { now: 1, limits: defaultUpdateSettings }).state;
      also();
    },
  };
  const context = {
    journal,
    activation: { discardAllBut: async () => undefined, isUnderWay: () => true },
    trust: {
      trustedManifest: (ref: ReleaseRef) =>
        new Promise((resolve, reject) => {
          const manifest = { name: ref.name, components: [] };
          calls.push({
            release: ref,
            resolve: () => resolve({ manifest, text: text(ref.version) }),
            reject,
          });
        }),
    },
    releases: {
      store: ({ digest }: { digest: string }) => void stored.push(digest),
      keepOnly: () => [],
    },
    directories: { keepOnly: async () => undefined },
    store: { collect: async () => 0 },
    facts: () => ({ providers: ["cpu"] }),
    clock: {
      now: () => 1,
      monotonic: () => 1,
      sleep: (ms: number, signal: AbortSignal) =>
        new Promise<void>((resolve) => {
          waits.push(ms);
          signal.addEventListener("abort", () => resolve());
        }),
    },
    settings: defaultUpdateSettings,
    random: () => 0.5,
    log: { info: () => undefined, warn: () => undefined },
    tell: () => undefined,
  };
  return { loop: new EffectLoop(context as unknown as LoopContext), journal, calls, stored, waits };
}

test("loop: what was found out for one release is never taken for the next, whenever the order comes", async () => {
  const [old, newer] = [release("1.0.0", 1), release("2.0.0", 2)];
  for (let depth = 0; depth < 12; depth += 1) {
    const { loop, journal, calls, stored } = makeLoop();
    journal.apply(ordered(1, old));
    loop.start();
    await turn();
    calls[0]?.resolve();
    for (let tick = 0; tick < depth; tick += 1) await Promise.resolve();
    journal.apply(ordered(2, newer));
    loop.interrupt();
    await turn();
    const { attempt } = journal.state;
    assert.equal(attempt?.order.generation, 2);
    if (attempt?.phase !== "accepted") assert.ok(stored.includes(newer.digest), `after ${depth} ticks`);
    const stopped = loop.stop();
    for (const call of calls) call.resolve();
    await stopped;
  }
});

test("loop: a wait for the network ends when the network is back", async () => {
  const { loop, journal, calls, waits } = makeLoop();
  journal.apply(ordered(1, release("1.0.0", 1)));
  loop.start();
  await turn();
  calls[0]?.reject(new MusterError("request.unreachable"));
  await turn();
  assert.equal(waits.length, 1);
  assert.equal(calls.length, 1);
  loop.wake();
  await turn();
  assert.equal(calls.length, 1, "a change of the runner is no reason");
  loop.retryNow();
  await turn();
  assert.equal(calls.length, 2);
  calls[1]?.reject(new MusterError("request.unreachable"));
  await turn();
  assert.ok((waits[1] ?? 0) > (waits[0] ?? 0), "the waits go on growing while it fails");
  await loop.stop();
});
