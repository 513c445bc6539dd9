import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Ending, reasonAfter, reasonToSkip, rungsFor } from "@muster/agent/runner/cascade/decide";
import { catalogue, type ErrorCode } from "@muster/shared/errors";
import { DEGRADE_REASONS, type DegradeReason } from "@muster/shared/protocol/serving/cascade";
import fc from "fast-check";

const rungs = (...whens: DegradeReason[][]) => whens.map((when, id) => ({ id, when }));

describe("why the primary variant is not asked", () => {
  const cases: [string, DegradeReason[][], { heat?: boolean; power?: boolean }, DegradeReason | undefined][] =
    [
      ["it is", [["heat"], ["power"], ["deadline"], ["failure"]], {}, undefined],
      ["heat", [["heat"]], { heat: true }, "heat"],
      ["power", [["failure", "power"]], { power: true }, "power"],
      ["heat before power", [["power"], ["heat"]], { heat: true, power: true }, "heat"],
      ["power where no rung answers for heat", [["power"]], { heat: true, power: true }, "power"],
      [
        "not where no rung answers for it",
        [["failure"], ["deadline"]],
        { heat: true, power: true },
        undefined,
      ],
    ];
  for (const [name, whens, { heat = false, power = false }, reason] of cases)
    test(name, () => assert.equal(reasonToSkip(rungs(...whens), { heat, power }), reason));
});

describe("why another is asked after it", () => {
  const cases: [string, Ending, DegradeReason | undefined][] = [
    ["it answered", { failed: false }, undefined],
    ["it failed", { failed: true }, "failure"],
    ["no room or too late", { refused: "inference.overloaded" }, "deadline"],
    ["expired in the queue", { refused: "inference.expired" }, "deadline"],
    ["deferred by the box", { refused: "inference.deferred" }, undefined],
    ["given up by the caller", { refused: "inference.cancelled" }, undefined],
  ];
  for (const [name, ending, reason] of cases) test(name, () => assert.equal(reasonAfter(ending), reason));

  test("nothing but want of room and time", () => {
    const passedOn = (Object.keys(catalogue) as ErrorCode[]).filter((refused) => reasonAfter({ refused }));
    assert.deepEqual(passedOn.sort(), ["inference.expired", "inference.overloaded"]);
  });
});

test("the rungs for a reason keep their order", () =>
  assert.deepEqual(
    rungsFor(rungs(["heat"], ["failure", "heat"], ["power"], ["heat"]), "heat").map(({ id }) => id),
    [0, 1, 3],
  ));

test("property: the reason holds and has a rung", () => {
  const when = fc.uniqueArray(fc.constantFrom(...DEGRADE_REASONS), { minLength: 1 });
  fc.assert(
    fc.property(fc.array(when, { maxLength: 5 }), fc.boolean(), fc.boolean(), (whens, heat, power) => {
      const reason = reasonToSkip(rungs(...whens), { heat, power });
      const holding: DegradeReason[] = [
        ...(heat ? ["heat" as const] : []),
        ...(power ? ["power" as const] : []),
      ];
      assert.equal(
        reason,
        holding.find((each) => whens.some((own) => own.includes(each))),
      );
    }),
  );
});
