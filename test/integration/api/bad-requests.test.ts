import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, it } from "node:test";
import type { Problem } from "@muster/shared/protocol/device-api";
import { TestControlPlane } from "../../support/operator/control-plane.ts";

const ZEROS = "0".repeat(64);

/** Each with what is sent, the code that it must be answered with, and words of the detail. */
const BAD: [method: string, path: string, body: unknown, code: string, detail: RegExp][] = [
  ["POST", "/tokens", {}, "request.invalid", /body lacks site/],
  ["POST", "/tokens", [], "request.invalid", /body/],
  ["POST", "/tokens", { site: "Not A Site" }, "request.invalid", /body\/site/],
  ["POST", "/tokens", { site: "eu", uses: "3" }, "request.invalid", /body\/uses/],
  ["POST", "/tokens", { site: "eu", uses: 0 }, "request.invalid", /body\/uses/],
  ["POST", "/tokens", { site: "eu", expiresIn: 1 }, "request.invalid", /body\/expiresIn/],
  ["POST", "/tokens", { site: "eu", more: 1 }, "request.invalid", /body/],
  ["POST", "/tokens", { site: "eu", labels: { "Bad Key": "x" } }, "request.invalid", /body/],
  ["DELETE", "/tokens/nobody", undefined, "request.not-found", /no join token/],
  ["POST", "/operators", { name: "Two Words" }, "request.invalid", /body\/name/],
  ["DELETE", "/operators/nobody", undefined, "request.not-found", /no operator/],
  ["GET", "/devices?limit=0", undefined, "request.invalid", /querystring\/limit/],
  ["GET", "/devices?limit=many", undefined, "request.invalid", /querystring\/limit/],
  ["GET", "/devices?liveness=happy", undefined, "request.invalid", /querystring\/liveness/],
  ["GET", "/devices?cursor=nonsense", undefined, "request.invalid", /cursor/],
  ["GET", "/devices?colour=red", undefined, "request.invalid", /querystring/],
  ["GET", "/devices?selector=site%3D(", undefined, "selector.invalid", /position 6/],
  ["GET", "/devices?selector=group%3Dnone", undefined, "selector.invalid", /no group none/],
  ["GET", `/devices?selector=${"a".repeat(1001)}`, undefined, "request.invalid", /querystring\/selector/],
  ["PATCH", "/devices", { labels: { a: "b" } }, "request.invalid", /selector/],
  ["PATCH", "/devices?selector=", { labels: { a: "b" } }, "request.invalid", /selector/],
  ["PATCH", "/devices?selector=a", { name: "b" }, "request.invalid", /body/],
  ["GET", "/sites/eu/nowhere", undefined, "request.not-found", /no site eu\/nowhere/],
  ["GET", "/sites/eu//nowhere", undefined, "request.invalid", /params/],
  ["GET", "/sites/", undefined, "request.invalid", /params/],
  ["DELETE", "/sites/eu/nowhere", undefined, "request.not-found", /no site/],
  ["POST", "/sites/eu", {}, "request.method-not-allowed", /takes DELETE, GET, HEAD, PATCH, PUT/],
  ["PUT", "/sites/eu", { timeZone: "Europe/Nowhere" }, "request.invalid", /no time zone/],
  ["PUT", "/sites/eu", { timeZone: "+01:00" }, "request.invalid", /no time zone/],
  ["PUT", "/sites/eu", { uplinkKbps: 0 }, "request.invalid", /body\/uplinkKbps/],
  ["PUT", "/sites/eu", { windows: [{ from: "25:00", to: "03:00" }] }, "request.invalid", /body\/windows/],
  ["PUT", "/sites/eu", { labels: { a: null } }, "request.invalid", /body\/labels/],
  ["PUT", "/sites/eu", { colour: "red" }, "request.invalid", /body/],
  ["PATCH", "/sites/eu", {}, "request.invalid", /body/],
  ["GET", "/groups/none", undefined, "request.not-found", /no group none/],
  ["GET", "/groups/none/devices", undefined, "request.not-found", /no group none/],
  ["PUT", "/groups/none", { selector: "" }, "request.not-found", /no group none/],
  ["DELETE", "/groups/none", undefined, "request.not-found", /no group none/],
  ["POST", "/groups", { name: "Two Words", selector: "" }, "request.invalid", /body\/name/],
  ["POST", "/groups", { name: "a" }, "request.invalid", /selector/],
  ["POST", "/groups", { name: "a", selector: "a=b c" }, "selector.invalid", /position 5/],
  ["POST", "/groups", { name: "a", selector: "group=b" }, "selector.invalid", /may not name groups/],
  ["GET", "/devices/nobody", undefined, "request.not-found", /no device nobody/],
  ["PATCH", "/devices/nobody", {}, "request.invalid", /body/],
  ["PATCH", "/devices/nobody", { labels: { a: "b c" } }, "request.invalid", /body\/labels/],
  ["PATCH", "/devices/nobody", { name: "x" }, "request.not-found", /no device/],
  ["POST", "/devices/nobody/revoke", {}, "request.invalid", /reason/],
  ["POST", "/devices/nobody/revoke", { reason: "x" }, "request.not-found", /no device/],
  ["GET", "/devices/nobody/timeline?limit=-1", undefined, "request.invalid", /querystring\/limit/],
  ["POST", "/trust/roots", { root: "{}" }, "trust.metadata-invalid", /./],
  ["POST", "/trust/roots", { root: 7 }, "request.invalid", /body\/root/],
  ["HEAD", "/artifacts/nothex", undefined, "", /./],
  ["PUT", `/artifacts/${ZEROS}`, { some: "json" }, "request.invalid", /octet-stream/],
  ["POST", "/releases", { manifest: "{}" }, "request.invalid", /targets/],
  ["POST", "/releases", { manifest: "{}", targets: "{}" }, "release.manifest-invalid", /./],
  ["GET", "/releases/none/1.0.0", undefined, "request.not-found", /no release none 1\.0\.0/],
  ["GET", "/releases/UPPER/1.0.0", undefined, "request.invalid", /params\/name/],
  ["POST", "/rollouts", {}, "request.invalid", /release/],
  ["POST", "/rollouts?dryRun=perhaps", { release: { name: "a", version: "1" } }, "request.invalid", /dryRun/],
  ["POST", "/rollouts", { release: { name: "a", version: "1" } }, "request.not-found", /no release a 1/],
  [
    "POST",
    "/rollouts",
    { release: { name: "a", version: "1" }, selector: "=" },
    "selector.invalid",
    /position 1: a key is expected/,
  ],
  ["POST", "/rollouts/none/start", undefined, "request.not-found", /no rollout/],
  ["POST", "/rollouts/none/pause", { reason: "" }, "request.invalid", /./],
  ["POST", "/rollouts/none/resume", { acceptWave: true }, "request.invalid", /./],
  ["POST", "/rollouts/none/submit", undefined, "request.not-found", /no rollout/],
  ["POST", "/rollouts/none/approve", undefined, "request.not-found", /no rollout/],
  ["POST", "/rollouts/none/deny", {}, "request.invalid", /reason/],
  ["POST", "/rollouts/none/deny", { reason: "no" }, "request.not-found", /no rollout/],
  ["POST", "/rollouts/none/skip-wave", {}, "request.invalid", /wave/],
  ["POST", "/rollouts/none/skip-wave", { wave: 0 }, "request.invalid", /body\/wave/],
  ["POST", "/rollouts/none/admit-late", undefined, "request.not-found", /no rollout/],
  ["GET", "/rollouts?limit=0", undefined, "request.invalid", /querystring\/limit/],
  ["GET", "/rollouts?cursor=x", undefined, "request.invalid", /no cursor/],
  ["GET", "/rollouts/none/devices?cursor=x", undefined, "request.not-found", /no rollout/],
  ["GET", "/rollouts/none/events?after=-1", undefined, "request.invalid", /querystring\/after/],
  ["PUT", "/devices", undefined, "request.method-not-allowed", /takes GET, HEAD, PATCH/],
  ["GET", "/nothing", undefined, "request.not-found", /nothing at/],
];

/** Announces a body of so many bytes and sends none of it: the answer does not wait for what is too large. */
function announce(
  plane: TestControlPlane,
  length: number,
  [method, path, type]: [string, string, string] = ["POST", "/tokens", "application/json"],
): Promise<[number | undefined, string]> {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${plane.token}`,
      "content-type": type,
      "content-length": length,
    };
    const call = request(`${plane.url}/api/v1${path}`, { method, headers, agent: false }, (response) => {
      let text = "";
      response.on("data", (part: Buffer) => {
        text += part.toString();
      });
      response.on("end", () => {
        call.destroy();
        resolve([response.statusCode, (JSON.parse(text) as Problem).code]);
      });
    });
    call.on("error", reject);
    call.flushHeaders();
  });
}

describe("bad requests", () => {
  let plane: TestControlPlane;
  before(async () => {
    plane = await TestControlPlane.start();
  });
  after(() => plane.close());

  for (const [method, path, body, code, detail] of BAD)
    it(`${method} ${path} ${body === undefined ? "" : JSON.stringify(body)}`, async () => {
      const response = await plane.call(method, path, body);
      assert.ok(response.status >= 400 && response.status < 500, `answered ${response.status}`);
      if (method === "HEAD") return;
      assert.match(response.headers.get("content-type") ?? "", /^application\/problem\+json/);
      const problem = (await response.json()) as Problem;
      assert.equal(problem.code, code, problem.detail);
      assert.equal(problem.status, response.status);
      assert.match(problem.detail, detail);
      assert.ok(problem.remedy.length > 0 && problem.title.length > 0);
    });

  it("refuses what is no JSON, has another type, or is larger than the limit", async () => {
    const send = async (body: string, type: string) => {
      const response = await fetch(`${plane.url}/api/v1/tokens`, {
        method: "POST",
        headers: { authorization: `Bearer ${plane.token}`, "content-type": type },
        body,
      });
      return [response.status, ((await response.json()) as Problem).code];
    };
    assert.deepEqual(await send("{", "application/json"), [400, "request.invalid"]);
    assert.deepEqual(await send("", "application/json"), [400, "request.invalid"]);
    assert.deepEqual(await send("site=eu", "application/x-www-form-urlencoded"), [400, "request.invalid"]);
    assert.deepEqual(await send(`{"__proto__":{"site":"eu"}}`, "application/json"), [400, "request.invalid"]);
    assert.deepEqual(await announce(plane, 5 * 1024 ** 2), [413, "request.too-large"]);
    const upload: [string, string, string] = ["PUT", `/artifacts/${ZEROS}`, "application/octet-stream"];
    assert.deepEqual(await announce(plane, 5 * 1024 ** 3, upload), [413, "artifact.too-large"]);
  });

  it("keeps nothing of an upload with another digest, and a right one once", async () => {
    const put = async (hex: string, content: string) =>
      await fetch(`${plane.url}/api/v1/artifacts/${hex}`, {
        method: "PUT",
        headers: { authorization: `Bearer ${plane.token}`, "content-type": "application/octet-stream" },
        body: content,
      });
    const digestOfHello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    const wrong = await put(ZEROS, "hello");
    assert.equal(((await wrong.json()) as Problem).code, "artifact.corrupted");
    assert.equal((await plane.call("HEAD", `/artifacts/${ZEROS}`)).status, 404);
    assert.equal((await put(digestOfHello, "hello")).status, 201);
    assert.equal((await put(digestOfHello, "hello")).status, 200);
    const head = await plane.call("HEAD", `/artifacts/${digestOfHello}`);
    assert.equal(head.headers.get("content-length"), "5");
  });

  it("still serves after all of this", async () => {
    assert.equal((await plane.call("GET", "/fleet")).status, 200);
  });
});
