import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, describe, it } from "node:test";
import { flagOf, loadSettings, variableOf } from "@muster/agent/config/load";
import { inferenceSettings, missingSocket } from "@muster/agent/config/module-settings";
import { MAX_SOCKET_PATH } from "@muster/agent/inference/socket-paths";
import { isMusterError } from "@muster/shared/errors";

const data = mkdtempSync(join(tmpdir(), "muster-settings-"));
after(() => rmSync(data, { recursive: true }));

const file = (content: string) => writeFileSync(join(data, "agent.json"), content);
const refused = (read: () => unknown, pattern: RegExp) =>
  assert.throws(read, (error) => isMusterError(error, "settings.invalid") && pattern.test(error.message));

describe("settings", () => {
  it("come from the command line, then the environment, then the file, then the defaults", () => {
    file('{"heartbeatSeconds": 3, "pollSeconds": 4, "batchKib": 50, "labels": {"line": "7"}}');
    const settings = loadSettings(
      { data, heartbeatSeconds: "1" },
      { MUSTER_HEARTBEAT_SECONDS: "2", MUSTER_POLL_SECONDS: "5.5", MUSTER_BATCH_KIB: undefined },
    );
    assert.equal(settings.heartbeatSeconds, 1);
    assert.equal(settings.pollSeconds, 5.5);
    assert.equal(settings.batchKib, 50);
    assert.equal(settings.batchRecords, 500);
    assert.deepEqual(settings.labels, { line: "7" });
    assert.equal(settings.data, data);
    assert.equal(settings.server, null);
  });

  it("need no file", () => {
    rmSync(join(data, "agent.json"), { force: true });
    assert.equal(loadSettings({}, { MUSTER_DATA: data }).data, data);
  });

  it("are named alike everywhere", () => {
    assert.equal(flagOf("outboxLimitMib"), "outbox-limit-mib");
    assert.equal(variableOf("outboxLimitMib"), "MUSTER_OUTBOX_LIMIT_MIB");
    assert.equal(variableOf("token"), "MUSTER_JOIN_TOKEN");
  });

  it("read labels as pairs", () => {
    assert.deepEqual(loadSettings({ data, labels: "a=1,b=2" }, {}).labels, { a: "1", b: "2" });
  });

  it("give inference a Unix socket below the data directory, unless it is named or switched off", () => {
    const socket = (flags: object) => inferenceSettings(loadSettings({ data, ...flags }, {})).socketPath;
    assert.equal(socket({}), join(data, "run", "inference.sock"));
    assert.equal(socket({ data: relative(process.cwd(), data) }), join(data, "run", "inference.sock"));
    assert.equal(socket({ inferenceSocket: "/run/eyes.sock" }), "/run/eyes.sock");
    assert.equal(socket({ inferenceSocket: "off" }), null);
    refused(() => socket({ inferenceSocket: "run/eyes.sock" }), /inferenceSocket .* or off/);
    file('{"inferenceSocket": null}');
    refused(() => socket({}), /inferenceSocket/);
    rmSync(join(data, "agent.json"));
    const longest = `/${"d".repeat(MAX_SOCKET_PATH - "//run/inference.sock".length)}`;
    assert.equal(Buffer.byteLength(socket({ data: longest }) ?? ""), MAX_SOCKET_PATH);
    assert.equal(socket({ data: `${longest}d` }), null);
    assert.match(missingSocket(loadSettings({ data: `${longest}d` }, {})) ?? "", /108 bytes/);
    assert.equal(missingSocket(loadSettings({ data: longest }, {})), undefined);
    assert.equal(missingSocket(loadSettings({ data: `${longest}d`, inferenceSocket: "off" }, {})), undefined);
  });

  it("take no address that is none", () => {
    refused(() => loadSettings({ data, server: "https://host:99999" }, {}), /server/);
    refused(() => loadSettings({ data, mqttUrl: "mqtts://host:99999" }, {}), /mqttUrl/);
  });

  it("refuse what they cannot use, naming setting and source", () => {
    refused(
      () => loadSettings({ data, heartbeatSeconds: "soon" }, {}),
      /heartbeatSeconds from --heartbeat-seconds/,
    );
    refused(() => loadSettings({ data, heartbeatSeconds: "" }, {}), /heartbeatSeconds/);
    refused(
      () => loadSettings({ data }, { MUSTER_BATCH_RECORDS: "1.5" }),
      /MUSTER_BATCH_RECORDS.*whole number/,
    );
    refused(() => loadSettings({ data, server: "http://host" }, {}), /server/);
    refused(() => loadSettings({ data, labels: "a" }, {}), /labels/);
    refused(() => loadSettings({ data, logLevel: "loud" }, {}), /one of trace/);
    file('{"heartbeatSecond": 3}');
    refused(() => loadSettings({ data }, {}), /not known: heartbeatSecond/);
    file('{"heartbeatSeconds": null}');
    refused(() => loadSettings({ data }, {}), /heartbeatSeconds from .*agent\.json/);
    file("[]");
    refused(() => loadSettings({ data }, {}), /not a JSON object/);
    file("{");
    refused(() => loadSettings({ data }, {}), /not JSON/);
  });
});
