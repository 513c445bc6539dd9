import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Problem } from "@muster/shared/protocol/device-api";
import { parseJoinToken } from "@muster/shared/trust/join-token";
import Database from "better-sqlite3";
import { until } from "../../support/fleet/until.ts";
import { Box } from "../../support/operator/box.ts";
import { TestControlPlane } from "../../support/operator/control-plane.ts";
import { type Scene, setScene } from "../../support/operator/scene.ts";

const OURS = "eu/berlin";
const THEIRS = "us/austin";
const HEX = "ab".repeat(32);
const ADMIN = "admin@eu/berlin";

type Answer = Record<string, unknown> & { id: string };

/** Two sites, each with one of everything, and an operator for the first. */
describe("an operator of one site", () => {
  let plane: TestControlPlane;
  let scene: Scene;
  let token: string;
  let robot: Box;
  let press: Box;
  let paths: [method: string, path: string][];
  const theirs: Record<string, string> = {};
  const ours: Record<string, string> = {};

  const admin = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const answer = await plane.call(method, path, body);
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
    return (await answer.json()) as Answer;
  };
  const asOurs = (method: string, path: string, body?: unknown): Promise<Response> =>
    plane.call(method, path, body, { authorization: `Bearer ${token}` });

  before(async () => {
    plane = await TestControlPlane.start("--set", "alertEvaluationMs=200");
    scene = await setScene(plane, []);
    const join1 = await plane.json<{ token: string; id: string }>("token", "create", "--site", OURS);
    const join2 = await plane.json<{ token: string; id: string }>("token", "create", "--site", THEIRS);
    const take = () => ({ never: true }) as const;
    press = await Box.join(plane, "press-1", parseJoinToken(join1.token), take);
    robot = await Box.join(plane, "robot-a", parseJoinToken(join2.token), take);
    token = (await plane.json<{ token: string }>("operator", "create", "berlin", "--grant", ADMIN)).token;
    for (const [mine, site, box] of [
      [ours, OURS, press],
      [theirs, THEIRS, robot],
    ] as const) {
      const short = site.replace("/", "-");
      mine.device = box.id;
      mine.site = site;
      mine.tokens = site === OURS ? join1.id : join2.id;
      mine.name = short;
      await admin("PATCH", `/sites/${site}`, { timeZone: "UTC" });
      await admin("POST", "/groups", { name: short, selector: `site=${site}` });
      const to = Date.now() + 3_600_000;
      mine.freezes = (await admin("POST", "/freezes", { site, to, reason: `works at ${short}` })).id;
      const silence = { selector: `site=${site}`, reason: `quiet at ${short}`, seconds: 3600 };
      mine.silences = (await admin("POST", "/silences", silence)).id;
      await admin("PUT", "/power/policies", { site, windows: [], bestEffortOutside: "run" });
      mine.factors = (await admin("POST", "/power/factors", { site, gramsPerKwh: 300 })).id;
      const value = Buffer.from("not to be seen").toString("base64");
      mine.secrets = (await admin("PUT", "/secrets", { name: short, scope: { site }, value })).id;
      const release = { name: "line-config", version: "1.0.0" };
      mine.rollouts = (await admin("POST", "/rollouts", { release, selector: `site=${site}` })).id;
      const rule = { signal: "offline", below: 1, selector: `site=${site}` };
      await plane.call("PUT", `/alert-rules/${short}`, rule);
    }
    const release = { name: "line-config", version: "2.0.0" };
    theirs.everywhere = (await admin("POST", "/rollouts", { release })).id;
    await admin("POST", `/rollouts/${theirs.everywhere}/start`);
    const db = new Database(join(plane.ready.dataDir, "telemetry.db"));
    const row = { digest: `sha256:${HEX}`, device: robot.id, site: THEIRS, release: `sha256:${HEX}` };
    db.prepare(
      `INSERT INTO examples (digest, device, site, release, model, variant, at, received_at, confidence, label, keep, size)
       VALUES (@digest, @device, @site, @release, 'm', 'v', 1, 1, 0.5, NULL, 'inputs', 3)`,
    ).run(row);
    db.close();
    const alerts = async () =>
      (await admin("GET", "/alerts")).alerts as { id: string; place: { site: string } }[];
    await until(async () => (await alerts()).filter(({ place }) => place.site !== null).length >= 2);
    for (const { id, place } of await alerts())
      if (place.site === THEIRS) theirs.alerts = id;
      else if (place.site === OURS) ours.alerts = id;
    const { paths: described } = (await (await plane.call("GET", "/openapi.json")).json()) as {
      paths: Record<string, Record<string, unknown>>;
    };
    paths = Object.entries(described).flatMap(([path, methods]) =>
      Object.keys(methods).map((method): [string, string] => [
        method.toUpperCase(),
        path.replace("/api/v1", ""),
      ]),
    );
  });
  after(async () => {
    await press?.leave();
    await robot?.leave();
    await scene?.close();
    await plane?.close();
  });

  /** The path with what lies at a site in the place of its parameters; undefined where nothing there has a place. */
  function pathOf(path: string, at: Record<string, string>): string | undefined {
    const kind = path.split("/")[1] ?? "";
    const kinds: Record<string, string | undefined> = {
      ...at,
      "alert-rules": undefined,
      groups: at.name,
      power: path.includes("factors") ? at.factors : undefined,
    };
    let found = true;
    const filled = path
      .replaceAll(/\{(\w+|\*)\}/g, (_all, name: string) => {
        const value =
          name === "device" ? at.device : name === "*" ? at.site : name === "hex" ? HEX : kinds[kind];
        if (value === undefined) found = false;
        return value ?? "";
      })
      .replace(/\*$/, at.site ?? "");
    return found ? filled : undefined;
  }

  const forbidden = (): RegExp =>
    new RegExp([robot.id, "robot-a", THEIRS, theirs.tokens, "us-austin"].join("|"));
  /** What everybody sees: rules are of the fleet, and may name sites. */
  const OF_THE_FLEET = ["/openapi.json", "/alert-rules", "/alert-rules/{name}"];
  const NOT_OF_SITES =
    /^\/(operators|my|sign|session|trust|releases|artifacts|audit|quarantines|alert-receivers|status|attestation\/(polic|ref))/;

  it("finds nothing of the other site in any answer", async () => {
    let asked = 0;
    for (const [method, path] of paths) {
      if (method !== "GET" || OF_THE_FLEET.includes(path) || path.includes("{")) continue;
      const query =
        path === "/metrics/series"
          ? "?scope=fleet"
          : path === "/drift/model"
            ? "?release=line-config@1.0.0&model=m"
            : "";
      const answer = await asOurs("GET", `${path}${query}`);
      const text = await answer.text();
      assert.doesNotMatch(text, forbidden(), `${path} tells of the other site`);
      asked += 1;
    }
    assert.ok(asked >= 20, `${asked} lists`);
  });

  it("is told 404 for each single thing of the other site, and sees his own", async () => {
    let asked = 0;
    for (const [method, path] of paths) {
      if (method !== "GET" || !path.includes("{") || NOT_OF_SITES.test(path) || OF_THE_FLEET.includes(path))
        continue;
      const there = pathOf(path, theirs);
      if (there === undefined) continue;
      const answer = await asOurs("GET", there);
      assert.equal(answer.status, 404, `${there}: ${await answer.clone().text()}`);
      const here = pathOf(path, ours);
      if (here !== undefined && !here.includes(HEX)) {
        const own = await asOurs("GET", here);
        assert.ok(![401, 403].includes(own.status) && own.status < 500, `${here} ${own.status}`);
        if (path === "/devices/{device}" || path === "/rollouts/{id}" || path === "/alerts/{id}")
          assert.equal(own.status, 200, here);
      }
      asked += 1;
    }
    assert.ok(asked >= 14, `${asked} things`);
  });

  it("changes nothing of the other site", async () => {
    const bodies: Record<string, unknown> = {
      "PATCH /devices/{device}": { name: "taken" },
      "POST /devices/{device}/revoke": { reason: "no" },
      "POST /devices/{device}/quarantine": { reason: "no" },
      "POST /devices/{device}/decommission": { reason: "no" },
      "POST /devices/{device}/replacement": {},
      "POST /rollouts/{id}/deny": { reason: "no" },
      "POST /rollouts/{id}/skip-wave": { wave: 1, reason: "no" },
      "PUT /sites/{*}": {},
      "PATCH /sites/{*}": { timeZone: "Europe/Berlin" },
      "PUT /groups/{name}": { selector: "" },
    };
    let asked = 0;
    for (const [method, path] of paths) {
      if (method === "GET" || method === "HEAD" || !path.includes("{") || NOT_OF_SITES.test(path)) continue;
      const there = pathOf(path, theirs);
      if (there === undefined) continue;
      const key = `${method} ${path.replace(/\{\*\}|\*$/, "{*}")}`;
      const answer = await asOurs(method, there, bodies[key]);
      const reached = [403, 404].includes(answer.status);
      assert.ok(reached, `${method} ${there}: ${answer.status} ${await answer.clone().text()}`);
      if (!path.startsWith("/examples")) assert.equal(answer.status, 403, `${method} ${there}`);
      asked += 1;
    }
    assert.ok(asked >= 18, `${asked} changes`);
    const site = THEIRS;
    for (const [method, path, body] of [
      ["POST", "/tokens", { site }],
      ["POST", "/freezes", { site, to: Date.now() + 60_000, reason: "no" }],
      ["POST", "/freezes", { to: Date.now() + 60_000, reason: "no" }],
      ["PUT", "/power/policies", { site, windows: [], bestEffortOutside: "run" }],
      ["PUT", "/power/policies", { windows: [], bestEffortOutside: "run" }],
      ["PUT", "/power/policies", { group: "eu-berlin", windows: [], bestEffortOutside: "run" }],
      ["DELETE", `/power/policies?site=${site}`, undefined],
      ["POST", "/power/factors", { site, gramsPerKwh: 1 }],
      ["POST", "/power/factors", { gramsPerKwh: 1 }],
      ["PUT", "/secrets", { name: "x", scope: { site }, value: "eA==" }],
      ["PUT", "/secrets", { name: "x", scope: { site: "*" }, value: "eA==" }],
      ["POST", "/groups", { name: "x", selector: "" }],
    ] as const) {
      const answer = await asOurs(method, path, body);
      assert.equal(answer.status, 403, `${method} ${path}: ${await answer.clone().text()}`);
      assert.equal(((await answer.json()) as Problem).code, "access.denied");
    }
    const device = await asOurs("PUT", "/secrets", { name: "x", scope: { device: robot.id }, value: "eA==" });
    assert.equal(device.status, 404);
    const robotNow = await admin("GET", `/devices/${robot.id}`);
    assert.equal(robotNow.name, "robot-a");
    assert.equal(robotNow.status, "active");
  });

  it("names devices within his sites: the same name elsewhere is not in the way", async () => {
    await admin("PATCH", `/devices/${robot.id}`, { name: "press-1" });
    const found = (await (await asOurs("GET", "/devices/press-1")).json()) as Answer;
    assert.equal(found.id, press.id);
    assert.equal((await plane.call("GET", "/devices/press-1")).status, 409);
    await admin("PATCH", `/devices/${robot.id}`, { name: "robot-a" });
  });

  it("plans rollouts for his sites only, whatever the selector says", async () => {
    const release = { name: "line-config", version: "1.0.0" };
    for (const [selector, kept] of [
      ["", "site=eu/berlin"],
      ["site=eu/berlin", "site=eu/berlin"],
      ["class,site in (eu/berlin,us/austin)", "class,site in (eu/berlin,us/austin),site=eu/berlin"],
      ["site!=us", "site!=us,site=eu/berlin"],
    ]) {
      const view = (await (await asOurs("POST", "/rollouts?dryRun=true", { release, selector })).json()) as {
        matched: number;
      };
      assert.equal(view.matched, 1, selector);
      const made = (await (await asOurs("POST", "/rollouts", { release, selector })).json()) as Answer;
      assert.equal((made.plan as { selector: string }).selector, kept);
    }
    const none = await asOurs("POST", "/rollouts", { release, selector: "site=us/austin" });
    assert.equal(((await none.json()) as Problem).code, "rollout.no-targets");
    const labels = { labels: { touched: "yes" } };
    const relabelled = (await (
      await asOurs("PATCH", "/devices?selector=site!=nowhere", labels)
    ).json()) as Answer;
    assert.equal(relabelled.matched, 1);
  });

  it("sees of a rollout for the fleet his own devices, and cannot act on it", async () => {
    const id = theirs.everywhere;
    const view = await asOurs("GET", `/rollouts/${id}`);
    assert.equal(view.status, 200);
    await until(async () => {
      const { devices } = (await (await asOurs("GET", `/rollouts/${id}/devices`)).json()) as {
        devices: { device: string }[];
      };
      return devices.length === 1 && devices[0]?.device === press.id;
    });
    assert.equal((await asOurs("POST", `/rollouts/${id}/pause`)).status, 403);
    assert.equal((await asOurs("POST", `/rollouts/${ours.rollouts}/start`)).status, 200);
  });

  it("asks for figures of his sites, and for no others", async () => {
    const health = (await (await asOurs("GET", "/health")).json()) as { devices: number };
    assert.equal(health.devices, 1);
    const fleet = (await (await asOurs("GET", "/fleet")).json()) as { devices: number };
    assert.equal(fleet.devices, 1);
    for (const [path, status] of [
      ["/health?site=us/austin", 404],
      ["/health?site=us", 404],
      ["/health?site=eu", 404],
      ["/health?class=x", 404],
      ["/metrics/series?scope=fleet", 403],
      ["/metrics/series?scope=site:us/austin", 404],
      ["/metrics/series?scope=site:eu/berlin", 200],
      [`/metrics/series?scope=device:${robot.id}`, 404],
      [`/metrics/series?scope=device:${press.id}`, 200],
      ["/power/report?by=class", 403],
      ["/power/report?by=site", 200],
      ["/drift?class=x", 403],
      ["/drift?site=us/austin", 404],
      [`/drift?device=${robot.id}`, 404],
      ["/drift", 200],
      ["/devices?site=us/austin", 404],
      [`/examples?device=${robot.id}`, 404],
    ] as const) {
      const answer = await asOurs("GET", path);
      assert.equal(answer.status, status, `${path}: ${await answer.text()}`);
    }
  });
});
