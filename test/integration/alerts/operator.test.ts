import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type {
  AlertList,
  AlertRuleResource,
  ReceiverResource,
  SilenceResource,
} from "@muster/control-plane/api/schemas/alerts";
import { createOperatorApi } from "@muster/control-plane/api/server";
import type { OperatorServices } from "@muster/control-plane/api/services";
import { AuditLog } from "@muster/control-plane/audit/audit-log";
import { runCli } from "@muster/control-plane/cli/program";
import type { Terminal } from "@muster/control-plane/cli/terminal";
import { Operators } from "@muster/control-plane/people/operators";
import type { Problem } from "@muster/shared/protocol/device-api";
import { AlertDesk } from "../../support/alerts/desk.ts";
import { Hook } from "../../support/alerts/hook.ts";

const KEY = "a-key-that-nobody-may-see";

describe("alerts for operators", () => {
  let desk: AlertDesk;
  let hook: Hook;
  let api: Awaited<ReturnType<typeof createOperatorApi>>;
  let audit: AuditLog;
  let url: string;
  let token: string;
  before(async () => {
    desk = await AlertDesk.open();
    hook = await new Hook().open();
    const operators = new Operators(desk.stores.control, () => desk.now);
    token = (await operators.ensureFirstToken()) ?? "";
    const now = () => desk.now;
    const info = { version: "1.0.0", startedAt: 0, now, addresses: () => ({ deviceUrl: "", mqttUrl: "" }) };
    const onError = (error: unknown): never => assert.fail(String(error));
    audit = await AuditLog.open({ stores: desk.stores, dataDir: desk.dir, clock: now, onError });
    // Only what these routes call: the others are not asked here.
    const services = { operators, alerts: desk.alerts, info, audit, attestation: {} };
    api = await createOperatorApi(services as unknown as OperatorServices);
    url = await api.listen({ host: "127.0.0.1", port: 0 });
    for (const id of ["a0", "a1", "a2"]) desk.fleet.set(id, { offline: 1 });
    desk.fleet.set("b0", { offline: 0, crashes: 7 });
    await desk.after(0);
    await desk.after(1000);
  });
  after(async () => {
    await api?.close();
    await audit?.close();
    await hook.close();
    await desk.close();
  });

  const call = async (method: string, path: string, body?: unknown): Promise<Response> =>
    await fetch(`${url}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const get = async <T>(path: string): Promise<T> => (await (await call("GET", path)).json()) as T;
  const rulesOf = async (query: string) =>
    (await get<AlertList>(`/alerts${query}`)).alerts.map(({ rule }) => rule);

  const muster = async (...args: string[]) => {
    let out = "";
    let err = "";
    const stream = (add: (text: string) => void) => ({
      isTTY: false as unknown as true,
      columns: 200,
      rows: 50,
      write: (text: string | Uint8Array) => {
        add(String(text));
        return true;
      },
    });
    const terminal: Terminal = {
      env: { MUSTER_URL: url, MUSTER_TOKEN: token },
      stdout: stream((text) => {
        out += text;
      }),
      stderr: stream((text) => {
        err += text;
      }),
      now: () => desk.now,
    };
    const code = await runCli(args, terminal);
    return { code, out, err };
  };

  it("lists what fires, the most severe first, and filters it", async () => {
    const all = await get<AlertList>("/alerts");
    assert.deepEqual(
      all.alerts.map(({ severity, muted }) => `${severity} ${muted?.by ?? "told"}`),
      ["critical told", "critical told", ...Array(3).fill("warning alert")],
    );
    assert.deepEqual((await rulesOf("?muted=false")).sort(), ["runner-crash-loop", "site-dark"]);
    assert.deepEqual(await rulesOf("?site=eu/b"), ["runner-crash-loop"]);
    assert.deepEqual(await rulesOf("?severity=warning&limit=2"), ["device-offline", "device-offline"]);
    assert.deepEqual(await rulesOf("?state=pending"), []);
    const first = await get<AlertList>("/alerts?limit=4");
    assert.deepEqual(await rulesOf(`?limit=4&cursor=${first.next}`), ["device-offline"]);
    assert.equal((await call("GET", "/alerts?cursor=nothing")).status, 400);
    assert.equal((await call("GET", "/alerts/history?cursor=nothing")).status, 400);
    assert.equal((await call("GET", "/alerts/nothing")).status, 404);
  });

  it("writes rules whole, refuses those that make no sense, and takes built-in ones back", async () => {
    const wrong = await call("PUT", "/alert-rules/mine", { signal: "crashes" });
    assert.equal(wrong.status, 400);
    assert.equal(((await wrong.json()) as Problem).code, "alert.rule-invalid");
    const selector = await call("PUT", "/alert-rules/mine", { signal: "crashes", above: 1, selector: "a=(" });
    assert.equal(((await selector.json()) as Problem).code, "selector.invalid");
    for (const body of [
      { signal: "nothing", above: 1 },
      { signal: "crashes", above: "1" },
      { signal: "crashes", above: 1, x: 1 },
    ])
      assert.equal((await call("PUT", "/alert-rules/mine", body)).status, 400);
    assert.equal((await call("PUT", "/alert-rules/No%20Name", { signal: "crashes", above: 1 })).status, 400);
    assert.equal((await call("DELETE", "/alert-rules/too-hot")).status, 409);
    assert.equal((await call("DELETE", "/alert-rules/nothing")).status, 404);
    const cooler = (await (
      await call("PUT", "/alert-rules/too-hot", { signal: "temperatureC", above: 70 })
    ).json()) as AlertRuleResource;
    assert.deepEqual([cooler.above, cooler.builtIn, cooler.changed?.by !== ""], [70, true, true]);
    assert.equal((await call("DELETE", "/alert-rules/too-hot")).status, 204);
    assert.equal((await get<AlertRuleResource>("/alert-rules/too-hot")).above, 90);
  });

  it("keeps secrets to itself, whatever is asked", async () => {
    const put = await call("PUT", "/alert-receivers/ops", {
      webhook: { url: hook.url, secret: KEY },
      selector: "rule=none",
    });
    assert.equal(put.status, 200);
    const told = [await put.text()];
    for (const path of ["/alert-receivers", "/alert-receivers/ops", "/openapi.json"])
      told.push(await (await call("GET", path)).text());
    assert.doesNotMatch(told.join(), new RegExp(KEY));
    assert.match(told[0] ?? "", /"madeSecret":null/);
    const moved = await call("PUT", "/alert-receivers/ops", { webhook: { url: "http://127.0.0.1:9/" } });
    assert.notEqual(
      ((await moved.json()) as { madeSecret: string | null }).madeSecret,
      null,
      "a new place gets a new key",
    );
    const bad = await call("PUT", "/alert-receivers/ops", { webhook: { url: "ftp://127.0.0.1/" } });
    assert.equal(((await bad.json()) as Problem).code, "alert.receiver-invalid");
    const failed = await call("POST", "/alert-receivers/ops/test");
    assert.equal(failed.status, 502);
    assert.equal(((await failed.json()) as Problem).code, "alert.undelivered");
    assert.equal((await call("DELETE", "/alert-receivers/ops")).status, 204);
    assert.equal((await call("POST", "/alert-receivers/ops/test")).status, 404);
  });

  it("muster alert list, show and history say what is wrong and what to do", async () => {
    const list = await muster("alert", "list");
    assert.match(
      list.out,
      /critical +firing +.* site-dark +Site eu\/a is dark: 3 of 3 devices are offline\./,
    );
    assert.doesNotMatch(list.out, /device-offline/);
    assert.match((await muster("alert", "list", "--muted")).out, /muted by alert/);
    const { alerts } = {
      alerts: JSON.parse((await muster("alert", "list", "--json")).out) as AlertList["alerts"],
    };
    const dark = alerts.find(({ rule }) => rule === "site-dark");
    const show = await muster("alert", "show", dark?.id ?? "");
    assert.match(show.out, /do: +Check power and uplink/);
    assert.match((await muster("alert", "history")).err, /No alert has ended yet/);
    desk.fleet.set("b0", { offline: 0, crashes: 0 });
    await desk.after(0);
    await desk.after(3600);
    assert.match((await muster("alert", "history")).out, /runner-crash-loop/);
    assert.equal((await muster("alert", "show", "nothing")).code, 4);
  });

  it("muster alert rule set changes what is named and keeps the rest", async () => {
    const set = await muster("alert", "rule", "set", "too-hot", "--above", "80", "--for", "10m", "--json");
    const rule = JSON.parse(set.out) as AlertRuleResource;
    assert.deepEqual([rule.above, rule.forSeconds, rule.keepFiringSeconds], [80, 600, 900]);
    const below = await muster("alert", "rule", "set", "too-hot", "--below", "-10", "--disable", "--json");
    const other = JSON.parse(below.out) as AlertRuleResource;
    assert.deepEqual([other.above, other.below, other.enabled], [null, -10, false]);
    assert.match((await muster("alert", "rules")).out, /too-hot .* off/);
    assert.match((await muster("alert", "rule", "reset", "too-hot")).out, /as it came/);
    assert.equal((await muster("alert", "rule", "set", "mine", "--above", "1")).code, 2);
    assert.equal(
      (await muster("alert", "rule", "set", "mine", "--signal", "crashes", "--above", "1")).code,
      0,
    );
    assert.match((await muster("alert", "rule", "reset", "mine")).out, /removed/);
  });

  it("muster alert silence and unsilence stop the telling, not the alert", async () => {
    const made = await muster(
      "alert",
      "silence",
      "site=eu/a",
      "--for",
      "2h",
      "--reason",
      "power works",
      "--json",
    );
    const silence = JSON.parse(made.out) as SilenceResource;
    assert.equal(silence.state, "in-force");
    await desk.after(1);
    assert.doesNotMatch((await muster("alert", "list")).out, /site-dark/);
    assert.match((await muster("alert", "list", "--muted")).out, /muted by silence/);
    assert.match((await muster("alert", "silences")).out, /in-force +site=eu\/a .* power works/);
    assert.equal((await muster("alert", "unsilence", silence.id)).code, 0);
    await desk.after(1);
    assert.match((await muster("alert", "list")).out, /site-dark/);
    assert.equal((await muster("alert", "unsilence", "nothing")).code, 4);
    assert.equal((await muster("alert", "silence", "site=eu/a")).code, 2);
  });

  it("muster alert receiver add, test and remove", async () => {
    const file = join(desk.dir, "key");
    await writeFile(file, `${KEY}\n`);
    const added = await muster(
      "alert",
      "receiver",
      "add",
      "ops",
      "--webhook",
      hook.url,
      "--secret-file",
      file,
      "-l",
      "rule=none",
    );
    assert.deepEqual([added.code, added.out], [0, ""], added.err);
    const again = await muster("alert", "receiver", "add", "ops", "--webhook", hook.url);
    assert.match(again.err, /--replace/);
    assert.match((await muster("alert", "receiver", "test", "ops")).out, /ops took the test notification/);
    assert.equal(hook.posts.at(-1)?.body.reason, "test");
    const mail = await muster(
      "alert",
      "receiver",
      "add",
      "duty",
      "--smtp",
      "127.0.0.1:9",
      "--from",
      "a@b.example",
      "--to",
      "c@d.example",
      "--to",
      "e@d.example",
      "--off",
      "--json",
    );
    const { email } = JSON.parse(mail.out) as ReceiverResource;
    assert.deepEqual([email?.host, email?.port, email?.to.length], ["127.0.0.1", 9, 2]);
    const receivers = await muster("alert", "receivers");
    assert.match(receivers.out, /duty +c@d\.example e@d\.example +off/);
    assert.match(receivers.out, /ops +http.* unused/);
    assert.equal((await muster("alert", "receiver", "add", "x", "--smtp", "127.0.0.1")).code, 2);
    assert.match((await muster("alert", "receiver", "add", "x")).err, /alert\.receiver-invalid/);
    assert.equal((await muster("alert", "receiver", "remove", "ops")).code, 0);
    assert.equal((await muster("alert", "receiver", "test", "ops")).code, 4);
  });
});
