import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { FreezeList, FreezeResource } from "@muster/control-plane/api/schemas/freezes";
import type { Problem } from "@muster/shared/protocol/device-api";
import { TestControlPlane } from "../../support/operator/control-plane.ts";

describe("muster freeze", () => {
  let plane: TestControlPlane;
  before(async () => {
    plane = await TestControlPlane.start();
  });
  after(async () => {
    await plane?.close();
  });

  it("creates, lists and ends, and keeps who did it", async () => {
    const made = await plane.muster(["freeze", "create", "--to", "+2h", "--reason", "incident 4711"]);
    assert.equal(made.code, 0, made.stderr);
    assert.match(made.stderr, /Nothing new is told everywhere for 2 h: muster freeze end /);
    const id = made.stdout.trim();
    const planned = await plane.json<FreezeResource>(
      "freeze",
      "create",
      "--site",
      "eu/de",
      "--from",
      "+1d",
      "--to",
      "+2d",
      "--reason",
      "holidays",
    );
    assert.deepEqual([planned.state, planned.site, planned.endedAt], ["planned", "eu/de", null]);
    const list = await plane.muster(["freeze", "list"]);
    assert.match(
      list.stdout,
      /SITE +STATE[\s\S]*everywhere +active[\s\S]*incident 4711[\s\S]*eu\/de +planned/,
    );
    assert.equal((await plane.muster(["freeze", "end", id])).code, 0);
    assert.equal((await plane.muster(["freeze", "end", id])).code, 0, "safe to repeat");
    const [first, over] = await plane.json<FreezeResource[]>("freeze", "list");
    assert.equal(first?.id, planned.id);
    assert.deepEqual([over?.id, over?.state], [id, "past"]);
    assert.ok(over?.createdBy);
    assert.equal(over?.endedBy, over?.createdBy);
    assert.equal((await plane.json<FreezeResource[]>("freeze", "list", "--past", "0")).length, 1);
  });

  for (const [options, code, words] of [
    [["--to", "tomorrow", "--reason", "r"], 2, /settings\.invalid/],
    [["--from", "+2h", "--to", "+1h", "--reason", "r"], 2, /freeze\.invalid/],
    [["--to", "+1h", "--reason", ""], 2, /request\.invalid/],
    [["--to", "+1h", "--reason", "r", "--site", "No Site"], 2, /request\.invalid/],
    [["--to", "+1h"], 2, /--reason/],
  ] as const)
    it(`refuses create ${options.join(" ")}`, async () => {
      const refused = await plane.muster(["freeze", "create", ...options]);
      assert.equal(refused.code, code, refused.stderr);
      assert.match(refused.stderr, words);
    });

  it("says that there is no such freeze", async () => {
    assert.equal((await plane.muster(["freeze", "end", "no-such"])).code, 4);
    const answer = await plane.call("DELETE", "/freezes/no-such");
    assert.equal(((await answer.json()) as Problem).code, "request.not-found");
    const list = await plane.call("GET", "/freezes?past=-1");
    assert.equal(list.status, 400);
    const all = (await (await plane.call("GET", "/freezes?past=1000")).json()) as FreezeList;
    assert.equal(all.freezes.length, 2, "what was refused is not kept");
  });
});
