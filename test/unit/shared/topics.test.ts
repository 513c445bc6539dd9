import assert from "node:assert/strict";
import { test } from "node:test";
import {
  downFilter,
  downTopic,
  mayPublish,
  maySubscribe,
  parseUpTopic,
  UP_CHANNELS,
  upTopic,
} from "@muster/shared/protocol/topics";
import fc from "fast-check";

const device = "dabcdefghijklmnopqrst";
const other = "dzzzzzzzzzzzzzzzzzzzz";

test("a device publishes on its own up channels and nowhere else", () => {
  for (const channel of UP_CHANNELS) assert.ok(mayPublish(device, upTopic(device, channel), false));
  const refused: [string, boolean][] = [
    [upTopic(device, "state"), true],
    [upTopic(other, "state"), false],
    [downTopic(device, "desired"), false],
    [`muster/v1/${device}/up/unknown`, false],
    [`muster/v1/${device}/up/state/more`, false],
    [`muster/v2/${device}/up/state`, false],
    [`muster/v1/${device}/up/+`, false],
    ["$SYS/broker", false],
    ["", false],
  ];
  for (const [topic, retain] of refused) assert.ok(!mayPublish(device, topic, retain), topic);
});

test("a device subscribes to its own down channels and nothing wider", () => {
  assert.ok(maySubscribe(device, downFilter(device)));
  assert.ok(maySubscribe(device, downTopic(device, "ack")));
  for (const filter of [
    "#",
    "+/+/+/+/+",
    "muster/#",
    `muster/v1/${device}/#`,
    `muster/v1/${device}/down/#`,
    "muster/v1/+/down/desired",
    downFilter(other),
    upTopic(device, "state"),
    `$share/g/${downFilter(device)}`,
  ])
    assert.ok(!maySubscribe(device, filter), filter);
});

test("no topic but a device's own parses to that device", () => {
  fc.assert(
    fc.property(fc.string(), (topic) => {
      const parsed = parseUpTopic(topic);
      assert.ok(parsed === undefined || topic === upTopic(parsed.device, parsed.channel));
    }),
  );
});
