import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { BUILT_IN_RULES } from "@muster/control-plane/alerts/built-in-rules";
import { SIGNALS } from "@muster/control-plane/alerts/signals";

const DOCS = readFileSync(fileURLToPath(new URL("../../../../docs/alerts.md", import.meta.url)), "utf8");

it("docs/alerts.md has a row for every signal and every built-in rule", () => {
  const names = [...Object.keys(SIGNALS), ...BUILT_IN_RULES.map(({ name }) => name)];
  for (const name of names) assert.match(DOCS, new RegExp(`^\\| \`${name}\` \\|`, "m"), name);
});
