import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { rightsTable } from "@muster/control-plane/people/roles";

it("the table of docs/people.md is the one that the API enforces", async () => {
  const page = await readFile(join(import.meta.dirname, "../../../../docs/people.md"), "utf8");
  assert.equal(/<!-- rights -->\n([\s\S]*?)\n<!-- \/rights -->/.exec(page)?.[1], rightsTable());
});
