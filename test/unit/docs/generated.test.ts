import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { test } from "node:test";
import { generatedFiles } from "../../docs/generated.ts";

for (const { path, text } of generatedFiles())
  test(`${basename(path)} is what the schemas say`, () => {
    assert.equal(readFileSync(path, "utf8"), text, "run `npm run docs` and commit");
  });
