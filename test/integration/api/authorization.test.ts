import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Problem } from "@muster/shared/protocol/device-api";
import { TestControlPlane } from "../../support/operator/control-plane.ts";

interface Description {
  paths: Record<string, Record<string, { security?: unknown[] }>>;
}

describe("operator authorization", () => {
  let plane: TestControlPlane;
  before(async () => {
    plane = await TestControlPlane.start();
  });
  after(() => plane.close());

  /** Every route that the API describes as closed, with something in the place of each parameter. */
  async function routes(): Promise<[method: string, path: string][]> {
    const description = (await (await fetch(`${plane.url}/api/v1/openapi.json`)).json()) as Description;
    return Object.entries(description.paths).flatMap(([path, methods]) =>
      Object.entries(methods)
        .filter(([, { security }]) => security === undefined)
        .map(([method]): [string, string] => [
          method.toUpperCase(),
          path.replaceAll("{hex}", "0".repeat(64)).replaceAll(/\{\w+\}/g, "x"),
        ]),
    );
  }

  it("closes every route to callers without a good token, before it looks at anything else", async () => {
    const found = await routes();
    assert.ok(found.length >= 30, `${found.length} routes are described`);
    const [id = "", secret = ""] = plane.token.split(".").slice(1);
    const bad: Record<string, string>[] = [
      {},
      { authorization: "Bearer " },
      { authorization: `Basic ${plane.token}` },
      { authorization: `Bearer ${id}.${secret}` },
    ];
    let refused = 0;
    for (const [method, path] of found) {
      const headers = bad[refused % bad.length] ?? {};
      const response = await fetch(`${plane.url}${path}`, { method, headers });
      assert.ok([401, 429].includes(response.status), `${method} ${path} answered ${response.status}`);
      refused += 1;
    }
  });

  it("answers 401 at addresses that do not exist too: strangers learn nothing of what is there", async () => {
    const fresh = await TestControlPlane.start();
    try {
      for (const path of ["/api/v1/nothing", "/api/v2/fleet", "/secret", "/api/v1/devices/../status"]) {
        const response = await fetch(`${fresh.url}${path}`);
        assert.equal(response.status, 401, path);
        assert.match(response.headers.get("www-authenticate") ?? "", /^Bearer/);
        const problem = (await response.json()) as Problem;
        assert.equal(problem.code, "request.unauthorized");
      }
    } finally {
      await fresh.close();
    }
  });

  it("limits wrong tokens and never the right one", async () => {
    const wrong = { authorization: "Bearer muop1.a.b" };
    let answer = await plane.call("GET", "/status", undefined, wrong);
    for (let tries = 0; tries < 30 && answer.status !== 429; tries += 1)
      answer = await plane.call("GET", "/status", undefined, wrong);
    assert.equal(answer.status, 429);
    assert.ok(Number(answer.headers.get("retry-after")) > 0);
    assert.equal(((await answer.json()) as Problem).code, "request.rate-limited");
    assert.equal((await plane.call("GET", "/status")).status, 200);
  });

  it("refuses a revoked token at once, and keeps the last operator", async () => {
    const { operator, token } = (await (await plane.call("POST", "/operators", { name: "temp" })).json()) as {
      operator: { id: string };
      token: string;
    };
    const theirs = { authorization: `Bearer ${token}` };
    assert.equal((await plane.call("GET", "/status", undefined, theirs)).status, 200);
    assert.equal((await plane.call("DELETE", `/operators/${operator.id}`)).status, 200);
    assert.notEqual((await plane.call("GET", "/status", undefined, theirs)).status, 200);
    const last = await plane.call("DELETE", "/operators/first");
    assert.equal(last.status, 409);
    assert.match(((await last.json()) as Problem).detail, /last operator/);
  });

  it("shows page and description without a token, with a strict content policy and no secret", async () => {
    for (const path of ["/", "/page.js", "/page.css", "/icon.svg", "/api/v1/openapi.json"]) {
      const response = await fetch(`${plane.url}${path}`);
      assert.equal(response.status, 200, path);
      const policy = response.headers.get("content-security-policy") ?? "";
      assert.match(policy, /default-src 'none'; script-src 'self';/);
      assert.doesNotMatch(policy, /unsafe|\*/);
      assert.equal(response.headers.get("x-content-type-options"), "nosniff");
      assert.doesNotMatch(await response.text(), /muop1\.\w/);
    }
    for (const path of ["/package.json", "/..%2f..%2fpackage.json", "/page.js/../../index.html"])
      assert.notEqual((await fetch(`${plane.url}${path}`)).status, 200, path);
  });
});
