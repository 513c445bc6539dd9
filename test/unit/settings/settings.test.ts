import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deviceHostName, inUrl } from "@muster/control-plane/settings/addresses";
import { Closers } from "@muster/control-plane/settings/closers";
import { certificateHosts, resolveSettings } from "@muster/control-plane/settings/settings";
import { isMusterError } from "@muster/shared/errors";

describe("settings of the control plane", () => {
  it("take what is given over the defaults", () => {
    const settings = resolveSettings({ devicePort: 0, publicHosts: ["fleet.example.org"] });
    assert.equal(settings.devicePort, 0);
    assert.equal(settings.mqttPort, 8883);
    assert.ok(certificateHosts(settings).includes("fleet.example.org"));
    assert.ok(certificateHosts(settings).includes("localhost"));
  });

  const bad: Record<string, unknown>[] = [
    { devicePort: 65_536 },
    { devicePort: -1 },
    { mqttPort: "8883" },
    { heartbeatIntervalMs: 0 },
    { heartbeatIntervalMs: 1.5 },
    { resultDays: Number.NaN },
    { publicMqttUrl: "mqtt://plain:1883" },
    { publicMqttUrl: "mqtts://host/path" },
    { publicHosts: "host" },
    { publicHosts: ["a b"] },
    { deviceHost: "" },
    { deviceHost: null },
    { operatorCertFile: 7 },
    { noSuchSetting: 1 },
  ];
  for (const given of bad)
    it(`refuse ${JSON.stringify(given)}`, () =>
      assert.throws(
        () => resolveSettings(given),
        (error) =>
          isMusterError(error, "settings.invalid") && error.message.includes(Object.keys(given)[0] ?? ""),
      ));

  it("name the host that devices should use", () => {
    assert.equal(deviceHostName({ publicHosts: ["a", "b"], deviceHost: "0.0.0.0" }), "a");
    assert.equal(deviceHostName({ publicHosts: [], deviceHost: "127.0.0.1" }), "127.0.0.1");
    assert.notEqual(deviceHostName({ publicHosts: [], deviceHost: "::" }), "::");
    assert.deepEqual(["::1", "[::1]", "host"].map(inUrl), ["[::1]", "[::1]", "host"]);
  });
});

it("closers run once, backwards, and all of them", async () => {
  const ran: string[] = [];
  const closers = new Closers();
  closers.add(() => ran.push("first"));
  closers.add(async () => {
    ran.push("second");
    throw new Error("broken");
  });
  closers.add(() => ran.push("third"));
  await assert.rejects(closers.close(), /broken/);
  await assert.rejects(closers.close(), /broken/);
  assert.deepEqual(ran, ["third", "second", "first"]);
});
