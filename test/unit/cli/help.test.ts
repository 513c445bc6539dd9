import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { buildProgram, runCli } from "@muster/control-plane/cli/program";
import type { Terminal } from "@muster/control-plane/cli/terminal";

interface Recorded {
  terminal: Terminal;
  out: () => string;
  err: () => string;
}

function record(): Recorded {
  let out = "";
  let err = "";
  const stream = (add: (text: string) => void) => ({
    isTTY: false as unknown as true,
    columns: 80,
    rows: 24,
    write: (text: string | Uint8Array) => {
      add(String(text));
      return true;
    },
  });
  const terminal: Terminal = {
    env: {},
    stdout: stream((text) => {
      out += text;
    }),
    stderr: stream((text) => {
      err += text;
    }),
    now: () => 0,
  };
  return { terminal, out: () => out, err: () => err };
}

type Command = ReturnType<typeof buildProgram>["program"];

/** Every command that does something, by the words that call it. */
function leaves(command: Command, path: readonly string[] = []): string[][] {
  if (command.commands.length === 0) return [[...path]];
  return command.commands.flatMap((child) => leaves(child as Command, [...path, child.name()]));
}

const LEAVES = leaves(buildProgram(record().terminal).program);

describe("help", () => {
  it("has a command for each thing that operators do", () => {
    assert.deepEqual(LEAVES.map((path) => path.join(" ")).sort(), [
      "alert history",
      "alert list",
      "alert receiver add",
      "alert receiver remove",
      "alert receiver test",
      "alert receivers",
      "alert rule reset",
      "alert rule set",
      "alert rules",
      "alert show",
      "alert silence",
      "alert silences",
      "alert unsilence",
      "approval list",
      "approval remove",
      "approval set",
      "attestation clear",
      "attestation history",
      "attestation policy list",
      "attestation policy remove",
      "attestation policy set",
      "attestation refresh",
      "attestation show",
      "attestation status",
      "audit export",
      "audit key",
      "audit list",
      "audit show",
      "audit verify",
      "device decommission",
      "device label",
      "device list",
      "device quarantine",
      "device relabel",
      "device release",
      "device rename",
      "device replace",
      "device revoke",
      "device show",
      "device timeline",
      "drift show",
      "example delete",
      "example get",
      "example list",
      "explain",
      "freeze create",
      "freeze end",
      "freeze list",
      "group change",
      "group create",
      "group delete",
      "group list",
      "group show",
      "health device",
      "health sites",
      "keys init",
      "login",
      "logout",
      "model-key list",
      "model-key withdraw",
      "operator create",
      "operator grant",
      "operator list",
      "operator revoke",
      "operator token create",
      "operator token list",
      "operator token revoke",
      "power factor add",
      "power factor list",
      "power factor remove",
      "power policy clear",
      "power policy list",
      "power policy set",
      "power policy show",
      "power report",
      "reference import",
      "reference learn",
      "reference list",
      "reference remove",
      "reference show",
      "reference sign",
      "release create",
      "release list",
      "release quarantines",
      "release show",
      "release unquarantine",
      "rollout abort",
      "rollout admit-late",
      "rollout approve",
      "rollout create",
      "rollout deny",
      "rollout devices",
      "rollout events",
      "rollout list",
      "rollout pause",
      "rollout resume",
      "rollout revert",
      "rollout shadow",
      "rollout show",
      "rollout skip-wave",
      "rollout start",
      "rollout status",
      "rollout submit",
      "secret list",
      "secret remove",
      "secret rotate-key",
      "secret set",
      "serve",
      "site list",
      "site set",
      "site show",
      "site unset",
      "status",
      "token create",
      "token list",
      "token revoke",
      "trust ek-root add",
      "trust ek-root list",
      "trust ek-root remove",
      "trust init",
      "trust show",
    ]);
  });

  for (const path of LEAVES)
    it(`muster ${path.join(" ")} --help has an example that calls it, and --json`, async () => {
      const { terminal, out, err } = record();
      assert.equal(await runCli([...path, "--help"], terminal), 0);
      const text = out();
      assert.match(text, new RegExp(`Examples:\\n(.*\\n)* +(muster ${path.join(" ")})`));
      assert.match(text, /--json/);
      assert.equal(err(), "");
      for (const line of text.split("\n")) assert.ok(line.length <= 80, line);
    });

  it("explains exit codes, environment and the way to begin", async () => {
    const { terminal, out } = record();
    assert.equal(await runCli(["--help"], terminal), 0);
    for (const words of ["Exit codes:", "unhealthy", "MUSTER_TOKEN", "NO_COLOR", "muster keys init"])
      assert.ok(out().includes(words), words);
  });
});

describe("usage", () => {
  const wrong: string[][] = [
    ["bogus"],
    ["device", "bogus"],
    ["login", "http://localhost"],
    ["device", "show"],
    ["device", "show", "a", "b"],
    ["token", "create"],
    ["token", "create", "--site", "eu", "--uses", "many"],
    ["token", "create", "--site", "eu", "--expires", "soon"],
    ["token", "create", "--site", "eu", "--label", "novalue"],
    ["rollout", "create", "--release", "a@1", "--wave", "0"],
    ["rollout", "create", "--release", "a@1", "--max-error", "200"],
    ["rollout", "status", "--timeout", "never"],
    ["serve", "--set", "noSuchSetting=1"],
    ["device", "list", "--limit", "-1"],
  ];
  for (const argv of wrong)
    it(`muster ${argv.join(" ")} is answered with 2 and words on stderr`, async () => {
      const { terminal, out, err } = record();
      assert.equal(await runCli(argv, terminal), 2);
      assert.equal(out(), "");
      assert.ok(err().length > 0);
    });

  it("explains codes, knows which it does not know, and tells failures as JSON on demand", async () => {
    const known = record();
    assert.equal(await runCli(["explain", "rollout.no-targets", "--json"], known.terminal), 0);
    assert.equal(JSON.parse(known.out()).code, "rollout.no-targets");
    const unknown = record();
    assert.equal(await runCli(["--json", "explain", "no.such-code"], unknown.terminal), 4);
    assert.equal(JSON.parse(unknown.err()).error.code, "request.not-found");
    const stranger = record();
    assert.equal(
      await runCli(["status"], { ...stranger.terminal, env: { XDG_CONFIG_HOME: "/nonexistent" } }),
      5,
    );
    assert.match(stranger.err(), /muster login/);
  });
});
