import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connectRefusal, publishRefusal, subscribeRefusal } from "@muster/control-plane/broker/access";
import { DOWN_CHANNELS, downTopic, UP_CHANNELS, upTopic } from "@muster/shared/protocol/topics";
import { MAX_PAYLOAD_BYTES } from "@muster/shared/protocol/wire";
import fc from "fast-check";

const own = "daaaaaaaaaaaaaaaaaaaa";
const other = "dbbbbbbbbbbbbbbbbbbbb";
const part = fc.constantFrom(
  "muster",
  "v1",
  own,
  other,
  "up",
  "down",
  "state",
  "desired",
  "+",
  "#",
  "$SYS",
  "",
);
const topic = fc.array(part, { minLength: 1, maxLength: 7 }).map((parts) => parts.join("/"));

describe("access rules", () => {
  it("let a device publish on its own up channels and nowhere else", () => {
    const allowed = new Set(UP_CHANNELS.map((channel) => upTopic(own, channel)));
    for (const each of allowed)
      assert.equal(publishRefusal(own, { topic: each, qos: 1, payload: "x" }), undefined);
    fc.assert(
      fc.property(topic, (each) => {
        const refusal = publishRefusal(own, { topic: each, qos: 0, payload: "" });
        assert.equal(refusal?.code, allowed.has(each) ? undefined : "wire.forbidden-topic");
      }),
    );
  });

  it("let a device subscribe to its own down channels and nothing else", () => {
    const allowed = new Set([
      ...DOWN_CHANNELS.map((channel) => downTopic(own, channel)),
      `muster/v1/${own}/down/+`,
    ]);
    for (const each of allowed) assert.equal(subscribeRefusal(own, each), undefined);
    fc.assert(
      fc.property(topic, (each) => {
        assert.equal(
          subscribeRefusal(own, each)?.code,
          allowed.has(each) ? undefined : "wire.forbidden-topic",
        );
      }),
    );
  });

  it("refuse retained messages, QoS 2 and what is too large", () => {
    const good = { topic: upTopic(own, "batch"), qos: 1, payload: Buffer.alloc(MAX_PAYLOAD_BYTES) };
    assert.equal(publishRefusal(own, good), undefined);
    assert.equal(publishRefusal(own, { ...good, retain: true })?.code, "wire.forbidden-topic");
    assert.equal(publishRefusal(own, { ...good, qos: 2 })?.code, "wire.forbidden-topic");
    const large = { ...good, payload: Buffer.alloc(MAX_PAYLOAD_BYTES + 1) };
    assert.equal(publishRefusal(own, large)?.code, "wire.oversized");
  });

  const will = { topic: upTopic(own, "will"), qos: 1, payload: "{}" };
  const connects: [string, Parameters<typeof connectRefusal>, string | undefined][] = [
    ["its own id", [own, own, "active", undefined], undefined],
    ["its own will", [own, own, "active", will], undefined],
    ["another id", [other, own, "active", undefined], "wire.forbidden-topic"],
    ["no id", ["", own, "active", undefined], "wire.forbidden-topic"],
    [
      "another's will",
      [own, own, "active", { ...will, topic: upTopic(other, "will") }],
      "wire.forbidden-topic",
    ],
    ["a retained will", [own, own, "active", { ...will, retain: true }], "wire.forbidden-topic"],
    ["no name in the certificate", [own, undefined, undefined, undefined], "certificate.invalid"],
    ["an unknown device", [own, own, undefined, undefined], "certificate.invalid"],
    ["a revoked device", [own, own, "revoked", undefined], "certificate.revoked"],
  ];
  for (const [name, args, expected] of connects)
    it(`connect with ${name}: ${expected ?? "welcome"}`, () =>
      assert.equal(connectRefusal(...args)?.code, expected));
});
