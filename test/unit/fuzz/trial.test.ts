import assert from "node:assert/strict";
import { test } from "node:test";
import { MusterError } from "@muster/shared/errors";
import type { Target } from "../../fuzz/target.ts";
import { Trial } from "../../fuzz/trial.ts";

const seeds = [Buffer.from('{"a":[1,2,{"b":"c"}]}'), Buffer.from('{"a":[],"d":null}')];

function target(take: Target["take"]): Target {
  return { name: "made up", form: "json", seeds, take };
}

async function tried(of: Target, seed: number, inputs: number): Promise<{ trial: Trial; texts: string[] }> {
  const trial = new Trial(of, seed);
  const texts: string[] = [];
  for (let i = 0; i < inputs; i++) {
    const input = trial.make();
    texts.push(input.toString("latin1"));
    await trial.take(input);
  }
  return { trial, texts };
}

test("the same seed makes the same inputs, seeds first", async () => {
  const parse = target((input) => {
    try {
      JSON.parse(input.toString());
    } catch {
      throw new MusterError("wire.malformed");
    }
  });
  const { texts, trial } = await tried(parse, 5, 300);
  assert.deepEqual(texts.slice(0, 2), seeds.map(String));
  assert.deepEqual((await tried(parse, 5, 300)).texts, texts);
  assert.notDeepEqual((await tried(parse, 6, 300)).texts, texts);
  assert.ok(new Set(texts).size > 100);
  const { inputs, accepted, refused } = trial.count;
  assert.equal(inputs, 300);
  assert.ok(accepted > 50 && refused > 10 && accepted + refused === 300);
  assert.equal(trial.faults.size, 0);
});

test("anything but a coded error is a fault, told once with its input", async () => {
  const crash = target((input) => {
    if (input.includes("null")) (undefined as unknown as { x: number }).x;
  });
  const { trial } = await tried(crash, 5, 200);
  const [fault, ...others] = trial.faults.values();
  assert.match(fault?.what ?? "", /TypeError/);
  assert.ok(Buffer.from(fault?.input ?? "", "base64").includes("null"));
  assert.deepEqual(others, []);
  const unexpected = await tried(
    target(() => {
      throw new MusterError("internal.unexpected");
    }),
    5,
    10,
  );
  assert.equal(unexpected.trial.faults.size, 1);
});
