import assert from "node:assert/strict";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { QuarantineResource } from "@muster/control-plane/api/schemas/quarantines";
import type { RolloutResource } from "@muster/control-plane/api/schemas/rollouts";
import { parseJoinToken } from "@muster/shared/trust/join-token";
import { runMuster, TestControlPlane } from "../../support/operator/control-plane.ts";
import { writeConfigRelease } from "../../support/operator/releases.ts";
import { type Scene, setScene } from "../../support/operator/scene.ts";

const SIGNED_OUT = { MUSTER_URL: undefined, MUSTER_TOKEN: undefined };

describe("muster command line", () => {
  let plane: TestControlPlane;
  let scene: Scene;
  before(async () => {
    plane = await TestControlPlane.start();
    scene = await setScene(plane, ["eu/berlin:press-1", "eu/berlin:press-2", "us/austin:robot-a"]);
  });
  after(async () => {
    await scene?.close();
    await plane?.close();
  });

  const rolled = async (...args: string[]): Promise<{ id: string; code: number | null; stderr: string }> => {
    const { id } = await plane.json<RolloutResource>("rollout", "create", "--soak", "0s", "--start", ...args);
    const { code, stderr } = await plane.muster(["rollout", "status", id, "--watch"]);
    return { id, code, stderr };
  };

  it("signs in, keeps the context for its owner only, and lets the environment go first", async () => {
    const wrong = await plane.muster(["login", plane.url, "--token", "muop1.a.b"], SIGNED_OUT);
    assert.equal(wrong.code, 5);
    assert.equal((await plane.muster(["status"], SIGNED_OUT)).code, 5, "a failed login stores nothing");
    const right = await plane.muster(["login", plane.url, "--token", plane.token], SIGNED_OUT);
    assert.equal(right.code, 0, right.stderr);
    const file = join(plane.home, "config", "muster", "config.json");
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.equal((await plane.muster(["status"], SIGNED_OUT)).code, 0);
    const elsewhere = await plane.muster(["status"], { MUSTER_URL: "http://127.0.0.1:9", MUSTER_TOKEN: "x" });
    assert.equal(elsewhere.code, 5);
    assert.match(elsewhere.stderr, /code: {3}request\.unreachable\n {2}remedy: /);
    await writeFile(file, "{");
    const broken = await plane.muster(["status"], SIGNED_OUT);
    assert.equal(broken.code, 2);
    assert.match(broken.stderr, /muster login/);
  });

  it("makes offline keys once and never sends them", async () => {
    const again = await plane.muster(["keys", "init", "--keys", scene.keys]);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /exists already/);
    assert.equal((await stat(join(scene.keys, "root.key"))).mode & 0o777, 0o600);
    const seed = (await readFile(join(scene.keys, "root.key"), "utf8")).trim();
    const told = await (await plane.call("GET", "/trust")).text();
    assert.ok(!told.includes(seed));
    const twice = await plane.muster(["trust", "init", "--keys", scene.keys]);
    assert.match(twice.stderr, /request\.conflict/);
  });

  it("prints a join token with both pins, on stdout alone, and the line to run on the box", async () => {
    const { stdout, stderr, code } = await plane.muster([
      "token",
      "create",
      "--site",
      "eu",
      "--keys",
      scene.keys,
    ]);
    assert.equal(code, 0);
    const token = parseJoinToken(stdout);
    assert.ok(token.rootPin);
    assert.equal((await plane.json<{ rootPin: string }>("trust", "show")).rootPin, token.rootPin);
    assert.ok(stderr.includes(`muster-agent run --server ${plane.ready.deviceUrl} --token ${stdout.trim()}`));
    const bare = await plane.muster(["token", "create", "--site", "eu", "--label", "a=b", "--expires", "7d"]);
    assert.equal(parseJoinToken(bare.stdout).rootPin, null);
    assert.match(bare.stderr, /pins no trust root/);
    const missing = await plane.muster(["token", "create", "--site", "eu", "--keys", plane.home]);
    assert.match(missing.stderr, /trust\.key-missing/);
  });

  it("refuses a release that exists, a spec that is wrong and keys that are not there", async () => {
    const { spec } = await writeConfigRelease(join(plane.home, "spec"), "1.0.0");
    await plane.muster(["login", plane.url, "--token", plane.token], SIGNED_OUT);
    const cases: [args: string[], code: RegExp][] = [
      [["-f", spec, "--keys", scene.keys], /release\.exists/],
      [["-f", join(plane.home, "nothing.json"), "--keys", scene.keys], /release\.manifest-invalid/],
      [["-f", spec, "--keys", plane.home], /trust\.key-missing/],
    ];
    for (const [args, code] of cases) {
      const result = await plane.muster(["release", "create", ...args]);
      assert.equal(result.code, 1);
      assert.match(result.stderr, code);
    }
    assert.equal((await plane.json<unknown[]>("release", "list")).length, 3);
    assert.equal((await plane.muster(["release", "show", "line-config@9.9.9"])).code, 4);
    const remembered = await plane.muster(["release", "create", "-f", spec], SIGNED_OUT);
    assert.match(remembered.stderr, /release\.exists/, "a directory without keys is not remembered");
  });

  it("signs two releases at the same time, one after the other", async () => {
    const versions = ["1.1.0", "1.2.0"];
    const results = await Promise.all(
      versions.map(async (version) => {
        const { spec } = await writeConfigRelease(join(plane.home, "spec"), version, `race-${version[2]}`);
        return await plane.muster(["release", "create", "-f", spec, "--keys", scene.keys]);
      }),
    );
    for (const { code, stderr } of results) assert.equal(code, 0, stderr);
    assert.equal((await plane.json<unknown[]>("release", "list")).length, 5);
  });

  it("dry-runs, rolls out and ends with 0; the events come as lines on stderr", async () => {
    const plan = join(plane.home, "rollout.json");
    await writeFile(
      plan,
      JSON.stringify({ release: { name: "line-config", version: "1.0.0" }, waves: [{ count: 1 }] }),
    );
    const dry = await plane.muster(["rollout", "create", "-f", plan, "--dry-run"]);
    assert.match(dry.stdout, /line-config 1\.0\.0 would go to 3 of 3 matching devices:\n {2}wave 1: 1 /);
    assert.deepEqual(await plane.json("rollout", "list"), []);
    const { code, stderr, id } = await rolled("-f", plan);
    assert.equal(code, 0);
    assert.match(stderr, /Wave 1 begins: 1 device/);
    const events = await plane.json<{ kind: string }[]>("rollout", "events", id);
    assert.equal(events.at(-1)?.kind, "completed");
  });

  it("ends with 3 when the gate reverts the rollout, and shows number and threshold", async () => {
    const { code, id } = await rolled("--release", "line-config@3.0.0", "--wave", "1", "--wave", "100%");
    assert.equal(code, 3);
    const status = await plane.muster(["rollout", "status"]);
    assert.equal(status.code, 3, "the newest rollout is meant where none is named");
    assert.match(status.stdout, /error +violated +100 % \(at most 10 %\)/);
    assert.match(status.stdout, /config\.invalid/);
    const shown = await plane.muster(["rollout", "show", id]);
    assert.match(shown.stdout, /back, config\.invalid/);
    const quarantined = await plane.muster(["rollout", "create", "--release", "line-config@3.0.0"]);
    assert.match(quarantined.stderr, /release\.quarantined/);
    const [listed] = await plane.json<QuarantineResource[]>("release", "quarantines");
    assert.deepEqual([listed?.name, listed?.version, listed?.rollout], ["line-config", "3.0.0", id]);
    const lift = ["release", "unquarantine", "line-config@3.0.0", "--class", String(listed?.hardwareClass)];
    assert.equal((await plane.muster(lift)).code, 2, "a reason is required");
    assert.equal((await plane.muster([...lift, "--reason", ""])).code, 2);
    const lifted = await plane.muster([...lift, "--reason", "the cabinet was hot"]);
    assert.match(lifted.stdout, /^line-config 3\.0\.0 is not in quarantine for \S+ any more\.\n$/);
    assert.equal((await plane.muster([...lift, "--reason", "again"])).code, 4);
    assert.match((await plane.muster(["release", "quarantines"])).stderr, /No release is in quarantine\./);
    const events = await plane.json<{ sentence: string }[]>("rollout", "events", id);
    assert.match(events.at(-1)?.sentence ?? "", /lifted the quarantine of .*: the cabinet was hot\.$/);
    const again = await plane.muster(["rollout", "create", "--release", "line-config@3.0.0"]);
    assert.equal(again.code, 0, again.stderr);
    await plane.json("rollout", "abort", again.stdout.trim());
  });

  it("pauses, resumes, aborts and reverts by hand, and knows what a state does not allow", async () => {
    const create = ["rollout", "create", "--release", "line-config@2.0.0", "--wave", "1", "--soak", "1h"];
    const { id } = await plane.json<RolloutResource>(...create);
    assert.match((await plane.muster(["rollout", "resume", id])).stderr, /rollout\.transition-invalid/);
    assert.equal((await plane.json<RolloutResource>("rollout", "start", id)).state, "running");
    assert.equal(
      (await plane.json<RolloutResource>("rollout", "pause", id, "--reason", "lunch")).state,
      "paused",
    );
    assert.equal((await plane.muster(["rollout", "status", id])).code, 0, "a pause by hand is not unhealthy");
    assert.equal((await plane.json<RolloutResource>("rollout", "resume", id)).state, "running");
    const waited = await plane.muster(["rollout", "status", id, "--watch", "--timeout", "1s"]);
    assert.equal(waited.code, 1);
    assert.match(waited.stderr, /still running/);
    await plane.json("rollout", "revert", id, "--reason", "second thoughts");
    assert.equal((await plane.muster(["rollout", "status", id, "--watch"])).code, 3);
    assert.equal((await plane.muster(["rollout", "show", "nobody"])).code, 4);
  });

  it("lists, shows, labels, renames and revokes devices", async () => {
    await plane.json("device", "label", "press-1", "ring=canary", "old=1");
    await plane.json("device", "label", "press-1", "old=");
    const shown = await plane.muster(["device", "show", "press-1"]);
    assert.match(shown.stdout, /labels {6}ring=canary\n/);
    assert.match(shown.stdout, /runs {8}line-config 1\.0\.0/);
    await plane.json("device", "rename", "press-1", "gate");
    assert.equal((await plane.json<unknown[]>("device", "list", "--site", "eu", "--limit", "1")).length, 1);
    assert.equal((await plane.muster(["device", "list", "--limit", "0"])).code, 2);
    assert.equal((await plane.muster(["device", "list", "--liveness", "dead"])).code, 2);
    assert.equal((await plane.muster(["token", "create", "--site", "No Site"])).code, 2);
    const list = await plane.muster(["device", "list"]);
    assert.equal(list.stdout.trim().split("\n").length, 4);
    assert.ok(!list.stdout.includes("\u001b"));
    assert.equal((await plane.muster(["device", "revoke", "robot-a", "--reason", "stolen"])).code, 0);
    assert.match((await plane.muster(["device", "list", "--status", "revoked"])).stdout, /robot-a/);
    assert.equal((await plane.muster(["device", "timeline", "robot-a"])).code, 0);
    assert.equal((await plane.muster(["site", "list"])).code, 0);
    const status = await plane.json<{ fleet: { revoked: number } }>("status");
    assert.equal(status.fleet.revoked, 1);
  });

  it("creates and revokes operators, also on the machine itself when every token is lost", async () => {
    const made = await plane.json<{ operator: { id: string }; token: string }>("operator", "create", "alice");
    assert.equal((await plane.muster(["status"], { MUSTER_TOKEN: made.token })).code, 0);
    await plane.json("operator", "revoke", made.operator.id);
    assert.equal((await plane.muster(["status"], { MUSTER_TOKEN: made.token })).code, 5);
    const local = await plane.muster(
      ["operator", "create", "rescue", "--data", plane.ready.dataDir],
      SIGNED_OUT,
    );
    assert.equal((await plane.muster(["status"], { MUSTER_TOKEN: local.stdout.trim() })).code, 0);
    const nowhere = await plane.muster(["operator", "create", "x", "--data", plane.home], SIGNED_OUT);
    assert.equal(nowhere.code, 2);
    assert.equal((await plane.json<unknown[]>("operator", "list")).length, 3);
  });

  it("serve refuses a data directory in use, a port in use and settings that are none", async () => {
    const home = { HOME: plane.home };
    const free = ["--device-port", "0", "--mqtt-port", "0", "--operator-port", "0", "--log-level", "silent"];
    const used = await runMuster(["serve", "--data", plane.ready.dataDir, ...free], home);
    assert.equal(used.code, 1);
    assert.match(used.stderr, /storage\.in-use/);
    const port = new URL(plane.url).port;
    const busy = [...free, "--operator-port", port];
    const second = await runMuster(["serve", "--data", join(plane.home, "second"), ...busy], home);
    assert.equal(second.code, 2);
    assert.match(second.stderr, /settings\.invalid/);
    const unset = await runMuster(
      ["serve", "--data", join(plane.home, "third"), "--set", "resultDays=0"],
      home,
    );
    assert.equal(unset.code, 2);
    assert.match(unset.stderr, /resultDays/);
  });
});
