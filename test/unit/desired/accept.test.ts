import assert from "node:assert/strict";
import { test } from "node:test";
import { type AcceptContext, acceptDirective } from "@muster/agent/desired/accept";
import { type DirectivePayload, signDirective } from "@muster/shared/trust/directive";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import fc from "fast-check";

const key = signingKeyFrom(Buffer.alloc(32, 1));
const rotated = signingKeyFrom(Buffer.alloc(32, 2));
const device = "dabcdefghijklmnopqrst";
const payload: DirectivePayload = {
  v: 1,
  device,
  generation: 5,
  issuedAt: 1000,
  notAfter: 9000,
  rollout: null,
  release: { name: "vibration", version: "1.1.0", sequence: 3, digest: `sha256:${"a".repeat(64)}` },
  floor: 2,
  shadow: null,
};
const context: AcceptContext = {
  device,
  generation: 4,
  floorOf: () => 1,
  now: 2000,
  keysFor: async () => ({ [key.keyId]: key.publicKey }),
};
const text = JSON.stringify(signDirective(payload, key));

const verdictOf = async (received: string | Uint8Array, over: Partial<AcceptContext> = {}) => {
  const acceptance = await acceptDirective(received, { ...context, ...over });
  return acceptance.verdict === "refused" ? acceptance.error.code : acceptance.verdict;
};

const sign = (over: Partial<DirectivePayload>) => JSON.stringify(signDirective({ ...payload, ...over }, key));
const table: [string, string | Uint8Array, Partial<AcceptContext>, string][] = [
  ["good text", text, {}, "newer"],
  ["good bytes", Buffer.from(text), {}, "newer"],
  ["again", text, { generation: 5 }, "current"],
  ["again, after its end", text, { generation: 5, now: 99_999 }, "current"],
  ["run nothing", sign({ release: null }), {}, "newer"],
  ["not JSON", "{", {}, "wire.malformed"],
  ["not UTF-8", Buffer.from([0xff, 0xfe]), {}, "wire.malformed"],
  ["other JSON", "[]", {}, "wire.malformed"],
  ["unsigned", JSON.stringify({ payload }), {}, "wire.malformed"],
  ["with a number that JSON rounds", sign({ generation: 2 ** 60 }), {}, "wire.malformed"],
  ["with a floor that JSON rounds", sign({ floor: 2 ** 60 }), {}, "wire.malformed"],
  ["too large", " ".repeat(65 * 1024) + text, {}, "wire.oversized"],
  [
    "signed by a stranger",
    JSON.stringify(signDirective(payload, rotated)),
    {},
    "directive.signature-invalid",
  ],
  ["changed after signing", text.replace('"floor":2', '"floor":1'), {}, "directive.signature-invalid"],
  ["for another device", sign({ device: "dzzzzzzzzzzzzzzzzzzzz" }), {}, "directive.wrong-audience"],
  ["replayed", text, { generation: 6 }, "directive.replayed"],
  ["expired", text, { now: 9000 }, "directive.expired"],
  ["below its own floor", sign({ floor: 4 }), {}, "directive.below-floor"],
  ["below the floor accepted before", text, { floorOf: () => 4 }, "directive.below-floor"],
];
for (const [name, received, over, expected] of table)
  test(`directive ${name}: ${expected}`, async () => {
    assert.equal(await verdictOf(received, over), expected);
  });

test("keys are asked for by the key that signed", async () => {
  const asked: string[] = [];
  const keysFor = async (keyId: string) => {
    asked.push(keyId);
    return { [rotated.keyId]: rotated.publicKey };
  };
  const received = JSON.stringify(signDirective(payload, rotated));
  assert.equal(await verdictOf(received, { keysFor }), "newer");
  assert.deepEqual(asked, [rotated.keyId]);
});

test("no bytes make it throw", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
      assert.equal(await verdictOf(bytes), "wire.malformed");
    }),
  );
});

test("no single changed character is accepted", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(text.length - 1), fc.constantFrom("0", "f", '"', "x"), async (at, character) => {
      const changed = text.slice(0, at) + character + text.slice(at + 1);
      if (changed !== text) assert.notEqual(await verdictOf(changed), "newer");
    }),
    { numRuns: 500 },
  );
});
