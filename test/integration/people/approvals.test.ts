import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Problem } from "@muster/shared/protocol/device-api";
import { TestControlPlane } from "../../support/operator/control-plane.ts";
import { type Scene, setScene } from "../../support/operator/scene.ts";

/** Nothing is told before: only who may let it go matters here. */
const LATER = Date.now() + 86_400_000;
const RELEASE = { name: "line-config", version: "1.0.0" };

/** Who may approve what, over the real API, with one operator for each role. */
describe("a second approver", () => {
  let plane: TestControlPlane;
  let scene: Scene;
  const tokens: Record<string, string> = {};
  const call = (who: string, method: string, path: string, body?: unknown): Promise<Response> =>
    plane.call(method, path, body, { authorization: `Bearer ${tokens[who]}` });
  const state = async (answer: Response) => ((await answer.json()) as { state: string }).state;
  const code = async (answer: Response) => ((await answer.json()) as Problem).code;

  before(async () => {
    plane = await TestControlPlane.start();
    scene = await setScene(plane, ["eu/berlin:press-1", "us/austin:robot-a"]);
    const people = {
      ben: "operator@eu",
      cleo: "approver@eu",
      dora: "approver@us",
      emma: "approver@*",
      vera: "viewer@*",
    };
    for (const [name, grant] of Object.entries(people))
      tokens[name] = (
        await plane.json<{ token: string }>("operator", "create", name, "--grant", grant)
      ).token;
  });
  after(async () => {
    await scene?.close();
    await plane?.close();
  });

  async function planned(who: string, selector = ""): Promise<string> {
    const made = await call(who, "POST", "/rollouts", { release: RELEASE, selector, startAt: LATER });
    assert.equal(made.status, 201, await made.clone().text());
    return ((await made.json()) as { id: string }).id;
  }

  it("is asked for by the site that says so, and by no other", async () => {
    await plane.json("approval", "set", "--site", "eu", "--needed", "1");
    assert.deepEqual(
      (await plane.json<{ site: string; approvals: number }[]>("approval", "list")).map(
        ({ site, approvals }) => [site, approvals],
      ),
      [["eu", 1]],
    );
    const here = await planned("ben");
    assert.equal(await state(await call("ben", "POST", `/rollouts/${here}/start`)), "awaiting-approval");
    const there = await planned("dora", "site=us/austin");
    assert.equal(await state(await call("dora", "POST", `/rollouts/${there}/start`)), "scheduled");
    tokens.rollout = here;
  });

  it("has the role where the rollout goes, and is nobody who planned or submitted it", async () => {
    const path = `/rollouts/${tokens.rollout}/approve`;
    assert.equal(
      await code(await call("ben", "POST", path)),
      "access.denied",
      "an operator approves nothing",
    );
    assert.equal(await code(await call("vera", "POST", path)), "access.denied");
    assert.equal(await code(await call("dora", "POST", path)), "access.denied", "not an approver there");
    assert.equal(await state(await call("cleo", "POST", path)), "scheduled");
    const own = await planned("cleo");
    await call("cleo", "POST", `/rollouts/${own}/start`);
    assert.equal(
      await code(await call("cleo", "POST", `/rollouts/${own}/approve`)),
      "rollout.approval-refused",
    );
    const submitted = await planned("ben");
    await call("emma", "POST", `/rollouts/${submitted}/start`);
    const refused = await call("emma", "POST", `/rollouts/${submitted}/approve`);
    assert.equal(await code(refused), "rollout.approval-refused");
  });

  it("with the role at one site approves nothing that goes beyond it", async () => {
    const wide = await planned("emma");
    await call("emma", "POST", `/rollouts/${wide}/start`);
    assert.equal(await code(await call("cleo", "POST", `/rollouts/${wide}/approve`)), "access.denied");
    assert.equal(await state(await plane.call("POST", `/rollouts/${wide}/approve`)), "scheduled");
  });

  it("is asked for no more once the site takes it back", async () => {
    await plane.json("approval", "remove", "--site", "eu");
    const free = await planned("ben");
    assert.equal(await state(await call("ben", "POST", `/rollouts/${free}/start`)), "scheduled");
  });
});
