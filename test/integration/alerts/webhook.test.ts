import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Authority } from "@muster/control-plane/enrollment/authority";
import { ServerIdentity } from "@muster/control-plane/enrollment/server-identity";
import { isMusterError } from "@muster/shared/errors";
import { AlertDesk } from "../../support/alerts/desk.ts";
import { Hook, isSigned } from "../../support/alerts/hook.ts";
import { until } from "../../support/fleet/until.ts";

describe("webhooks", () => {
  let desk: AlertDesk;
  let hooks: Hook[];
  beforeEach(async () => {
    desk = await AlertDesk.open();
    hooks = [];
    await desk.hotRule();
  });
  afterEach(async () => {
    await desk.close();
    for (const hook of hooks) await hook.close();
  });

  const openHook = async (tls?: { key: string; cert: string }): Promise<Hook> => {
    const hook = await new Hook(tls).open();
    hooks.push(hook);
    return hook;
  };
  const errorOf = async (name: string) => (await desk.alerts.receiver(name)).status.error;
  const waitingOf = async (name: string) => (await desk.alerts.receiver(name)).status.waiting;

  it("get a signed notification when an alert fires, and one when it is over", async () => {
    const hook = await openHook();
    const secret = await desk.receiver("ops", { webhook: { url: hook.url } });
    assert.ok(secret, "a key is made");
    desk.fleet.set("a0", { loadPerCore: 99 });
    await desk.after(0);
    await until(() => hook.posts.length === 1);
    const [post] = hook.posts;
    assert.ok(post && isSigned(post, secret));
    assert.ok(post && !isSigned(post, `${secret}x`));
    assert.equal(post.headers["muster-notification"], post.body.id);
    assert.equal(post.body.firing[0]?.place.device, "a0");
    await desk.after(60);
    desk.fleet.set("a0", { loadPerCore: 50 });
    await desk.after(60);
    await until(() => hook.posts.length === 2);
    for (let more = 0; more < 5; more += 1) await desk.after(60);
    assert.deepEqual(hook.heard(), ["firing: hot / ", "resolved:  / hot"]);
    assert.equal((await desk.alerts.receiver("ops")).status.delivered, 2);
  });

  it("that are down get everything in order when they are up again", async () => {
    const hook = await openHook();
    await desk.receiver("ops", { webhook: { url: hook.url } });
    await hook.close();
    desk.fleet.set("a0", { loadPerCore: 99 });
    await desk.after(0);
    await until(async () => (await errorOf("ops")) !== null);
    assert.match((await errorOf("ops")) ?? "", /cannot be reached/);
    desk.fleet.set("a0", { loadPerCore: 50 });
    desk.fleet.set("a1", { loadPerCore: 99 });
    for (let round = 0; round < 4; round += 1) await desk.after(1);
    assert.equal(await waitingOf("ops"), 1, "one waits for each group, however long it lasts");
    await hook.open();
    // An attempt that was under way when it opened may still fail: its wait begins then.
    await until(async () => {
      await desk.after(60);
      return hook.posts.length === 2;
    });
    assert.deepEqual(hook.heard(), ["firing: hot / ", "firing: hot / hot"]);
    assert.equal(await errorOf("ops"), null);
  });

  it("get what was under way when the process ended once more, with the same id", async () => {
    const hook = await openHook();
    hook.answer = () => {};
    await desk.receiver("ops", { webhook: { url: hook.url } });
    desk.fleet.set("a0", { loadPerCore: 99 });
    await desk.after(0);
    await until(() => hook.posts.length === 1);
    await desk.restart();
    hook.answer = (response) => response.writeHead(200).end();
    await desk.after(15);
    await until(() => hook.posts.length === 2);
    await until(async () => (await waitingOf("ops")) === 0);
    await desk.restart();
    await desk.after(15);
    assert.equal(hook.posts.length, 2, "what was delivered is not sent again");
    assert.equal(hook.posts[0]?.body.id, hook.posts[1]?.body.id);
    assert.equal(hook.posts[0]?.text, hook.posts[1]?.text);
  });

  it("tell the end of an alert that ended while nobody watched", async () => {
    const hook = await openHook();
    await desk.receiver("ops", { webhook: { url: hook.url } });
    desk.fleet.set("a0", { loadPerCore: 99 });
    await desk.after(0);
    await until(() => hook.posts.length === 1);
    await until(async () => (await waitingOf("ops")) === 0);
    await hook.close();
    desk.fleet.set("a0", { loadPerCore: 50 });
    await desk.after(60);
    await desk.restart();
    await hook.open();
    await desk.after(3600);
    await until(() => hook.posts.length === 2);
    assert.deepEqual(hook.heard(), ["firing: hot / ", "resolved:  / hot"]);
  });

  it("that are slow hold up neither the engine nor other receivers", async () => {
    const slow = await openHook();
    slow.answer = () => {};
    const quick = await openHook();
    await desk.receiver("slow", { webhook: { url: slow.url, timeoutMs: 300 } });
    await desk.receiver("quick", { webhook: { url: quick.url } });
    desk.fleet.set("a0", { loadPerCore: 99 });
    await desk.after(0);
    await until(() => quick.posts.length === 1 && slow.posts.length === 1);
    desk.fleet.set("a1", { loadPerCore: 99 });
    await desk.after(1);
    await until(() => quick.posts.length === 2);
    await until(async () => (await errorOf("slow")) !== null);
    assert.equal(await errorOf("slow"), "No answer within 300 ms.");
    assert.equal(await waitingOf("slow"), 1);
  });

  it("with a certificate of a stranger get nothing; with their own CA they do", async () => {
    const authority = await Authority.open(join(desk.dir, "other-ca"), desk.now);
    const stranger = await ServerIdentity.open(
      authority,
      join(desk.dir, "other-ca"),
      ["127.0.0.1"],
      Date.now(),
    );
    const wrongName = await ServerIdentity.open(
      authority,
      join(desk.dir, "other-ca"),
      ["example.org"],
      Date.now(),
    );
    const hook = await openHook(stranger.secureContext());
    const misnamed = await openHook(wrongName.secureContext());
    const ca = await readFile(join(desk.dir, "other-ca", "ca.crt"), "utf8");
    await desk.receiver("blind", { webhook: { url: hook.url } });
    await desk.receiver("misnamed", { webhook: { url: misnamed.url, ca } });
    await desk.receiver("pinned", { webhook: { url: hook.url, ca } });
    desk.fleet.set("a0", { loadPerCore: 99 });
    await desk.after(0);
    await until(() => hook.posts.length === 1);
    for (const name of ["blind", "misnamed"]) await until(async () => (await errorOf(name)) !== null);
    assert.equal(hook.posts[0]?.body.receiver, "pinned");
    assert.equal(misnamed.posts.length, 0);
    assert.match((await errorOf("blind")) ?? "", /certificate/);
    assert.match((await errorOf("misnamed")) ?? "", /does not match/);
  });

  const answers: [status: number, headers: Record<string, string>, isFinal: boolean][] = [
    [400, {}, true],
    [410, {}, true],
    [302, { location: "http://127.0.0.1:9/" }, true],
    [500, {}, false],
    [503, { "retry-after": "120" }, false],
    [429, { "retry-after": "120" }, false],
  ];
  for (const [status, headers, isFinal] of answers)
    it(`that answer ${status} are ${isFinal ? "not asked again" : "asked again later"}`, async () => {
      const hook = await openHook();
      hook.answer = (response) => response.writeHead(status, headers).end("\u001b[31mno\n");
      await desk.receiver("ops", { webhook: { url: hook.url } });
      desk.fleet.set("a0", { loadPerCore: 99 });
      await desk.after(0);
      await until(async () => (await errorOf("ops")) !== null);
      const error = (await errorOf("ops")) ?? "";
      assert.match(error, new RegExp(`^It answered ${status}: (\\[31mno|redirects are not followed)\\.$`));
      assert.equal((await desk.alerts.receiver("ops")).status.lost, isFinal ? 1 : 0);
      hook.answer = (response) => response.writeHead(200).end();
      await desk.after(60);
      if (headers["retry-after"]) {
        assert.equal(hook.posts.length, 1, "not before it said so");
        await desk.after(60);
      }
      if (isFinal) assert.equal(hook.posts.length, 1);
      else await until(() => hook.posts.length === 2);
    });

  it("that are tested say so, and what waits is tried at once", async () => {
    const hook = await openHook();
    await desk.receiver("ops", { webhook: { url: hook.url } });
    await hook.close();
    desk.fleet.set("a0", { loadPerCore: 99 });
    await desk.after(0);
    await until(async () => (await errorOf("ops")) !== null);
    await assert.rejects(desk.alerts.testReceiver("ops"), (error) =>
      isMusterError(error, "alert.undelivered"),
    );
    await hook.open();
    assert.ok((await desk.alerts.testReceiver("ops")) >= 0);
    assert.equal(hook.posts[0]?.body.reason, "test");
    await until(() => hook.posts.length === 2);
    hook.answer = (response) => response.writeHead(404).end();
    await assert.rejects(desk.alerts.testReceiver("ops"), (error) => isMusterError(error, "alert.refused"));
    await assert.rejects(desk.alerts.testReceiver("no"), (error) =>
      isMusterError(error, "request.not-found"),
    );
  });

  it("that fail become an alert themselves, told to the others", async () => {
    const [broken, good] = [await openHook(), await openHook()];
    broken.answer = (response) => response.writeHead(500).end();
    await desk.receiver("broken", { webhook: { url: broken.url } });
    await desk.receiver("good", { webhook: { url: good.url }, selector: "rule=alerts-undelivered" });
    desk.fleet.set("a0", { loadPerCore: 99 });
    await desk.after(0);
    await until(async () => (await errorOf("broken")) !== null);
    await desk.after(1);
    await desk.after(601);
    await until(() => good.posts.length === 1);
    assert.equal(good.posts[0]?.body.summary, "Delivery of alerts fails for 1 of the receivers.");
  });

  it("that are removed or switched off get nothing more", async () => {
    const hook = await openHook();
    await desk.receiver("ops", { webhook: { url: hook.url } });
    await desk.receiver("off", { webhook: { url: hook.url }, enabled: false });
    await hook.close();
    desk.fleet.set("a0", { loadPerCore: 99 });
    await desk.after(0);
    await until(async () => (await errorOf("ops")) !== null);
    await desk.alerts.removeReceiver("ops");
    await hook.open();
    await desk.after(3600);
    await desk.restart();
    await desk.after(3600);
    assert.equal(hook.posts.length, 0);
  });
});
