import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { TestControlPlane } from "../../support/operator/control-plane.ts";
import { type Scene, setScene } from "../../support/operator/scene.ts";

describe("muster site, group and device", () => {
  let plane: TestControlPlane;
  let scene: Scene;
  before(async () => {
    plane = await TestControlPlane.start();
    scene = await setScene(plane, ["eu/berlin:press-1", "eu/paris:press-2", "us/austin:robot-a"]);
  });
  after(async () => {
    await scene?.close();
    await plane?.close();
  });

  const said = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await plane.muster(args);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const names = async (selector: string) =>
    (await plane.json<{ name: string }[]>("device", "list", "-l", selector)).map(({ name }) => name);

  it("states what holds at a site, and inherits it again", async () => {
    await said(
      "site",
      "set",
      "eu",
      "--time-zone",
      "Europe/Paris",
      "--uplink",
      "2000",
      "--label",
      "region=eu",
    );
    const set = await said(
      "site",
      "set",
      "eu/berlin",
      "--window",
      "mon-fri 22:00-05:00",
      "--window",
      "sun 00:00-24:00",
    );
    assert.match(set, /Europe\/Paris \(inherited\)/);
    assert.match(set, /mon-fri 22:00-05:00; sun 00:00-24:00/);
    assert.match(await said("site", "show", "us/austin"), /UTC \(nobody stated it\)/);
    assert.match(await said("site", "set", "eu/berlin", "--any-time"), /any time/);
    assert.match(await said("site", "unset", "eu", "--uplink", "--label", "region"), /no limit/);
    assert.match(await said("site", "unset", "eu"), /as the site above/);
    assert.match(await said("site", "list"), /eu\/berlin +1/);
    for (const args of [
      ["set", "eu"],
      ["set", "eu", "--window", "never"],
      ["set", "eu", "--window", "02:00-03:00", "--any-time"],
      ["set", "eu", "--label", "nothing"],
      ["set", "eu", "--uplink", "0"],
      ["set", "eu", "--time-zone", "Mars/Base"],
      ["set", "No Site", "--uplink", "1"],
    ])
      assert.equal((await plane.muster(["site", ...args])).code, 2, args.join(" "));
    assert.equal((await plane.muster(["site", "show", "mars"])).code, 4);
  });

  it("saves groups and selects by them", async () => {
    assert.match(await said("group", "create", "presses", "name in (press-1,press-2)"), /2 devices/);
    assert.deepEqual(await names("group=presses,site!=eu/paris"), ["press-1"]);
    assert.match(await said("group", "show", "presses"), /press-1[\s\S]*press-2/);
    const { members } = await plane.json<{ members: unknown[] }>("group", "show", "presses");
    assert.equal(members.length, 2);
    assert.match(await said("device", "show", "press-1"), /groups +presses/);
    await said("group", "change", "presses", "site=us", "--description", "robots now");
    assert.match(await said("group", "list"), /presses +1 +0 +site=us +robots now/);
    await said("group", "delete", "presses");
    assert.equal((await plane.muster(["group", "delete", "presses"])).code, 4);
    assert.equal((await plane.muster(["group", "create", "x", "a=("])).code, 2);
  });

  it("relabels what a selector selects, after saying whom", async () => {
    assert.match(
      await said("device", "relabel", "ring=late", "-l", "site=eu", "--dry-run"),
      /2 of 2 .* would change/,
    );
    assert.deepEqual(await names("ring=late"), []);
    assert.match(
      await said("device", "relabel", "ring=late", "-l", "site=eu"),
      /2 of 2 .* changed\.\n +eu\/berlin/,
    );
    assert.deepEqual(await names("ring=late"), ["press-1", "press-2"]);
    const wrong = await plane.muster(["device", "list", "-l", "line in (3;4)"]);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /position 11: a comma or a closing bracket is expected, there is ";"/);
  });
});
