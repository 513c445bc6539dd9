import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { problemOf } from "@muster/control-plane/api/problems";
import { catalogue, type ErrorCode, MusterError } from "@muster/shared/errors";
import { Problem } from "@muster/shared/protocol/device-api";
import { validate } from "@muster/shared/protocol/validate";

describe("problem documents", () => {
  for (const code of Object.keys(catalogue) as ErrorCode[])
    it(`says ${code} as RFC 9457 asks`, () => {
      const problem = validate(
        Problem,
        problemOf(new MusterError(code, "In this case.")),
        "internal.unexpected",
      );
      assert.equal(problem.code, code);
      assert.equal(problem.status, catalogue[code].status);
      assert.ok(problem.status >= 400 && problem.status < 600);
      assert.equal(problem.remedy, catalogue[code].remedy);
    });

  it("keeps the text of unforeseen errors to the log", () => {
    const { detail } = problemOf(new MusterError("internal.unexpected", "SELECT secret FROM operators"));
    assert.doesNotMatch(detail, /SELECT/);
  });
});
