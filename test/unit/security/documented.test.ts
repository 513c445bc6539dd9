import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = new URL("../../../../", import.meta.url);
const DOCS = readFileSync(fileURLToPath(new URL("docs/security.md", ROOT)), "utf8");
const THREATS = [
  "Stolen device",
  "Copied software key",
  "Malicious broker client",
  "Stolen control plane database",
  "Stolen online key",
  "Compromised control plane",
  "Stolen release key",
  "Replay",
  "Downgrade",
  "Freeze",
  "Poisoned model",
  "Interception at a site",
  "Neighbour on the network of a site",
  "Tampered database of a box",
  "Full disk",
  "Wrong clock",
  "Malformed evidence",
  "Replayed attestation",
  "Changed firmware or boot",
  "Unauthenticated routes",
  "Stolen join token",
  "Operator account that was taken over",
  "Edited audit log",
  "Stolen model weights",
];

const sections = new Map(
  (DOCS.split("## Threats")[1] ?? "")
    .split("\n### ")
    .slice(1)
    .map((section) => [section.slice(0, section.indexOf("\n")), section] as const),
);
const filesIn = (text: string): string[] =>
  [...text.matchAll(/`(test\/[^`]+\.ts)`/g)].map(([, file = ""]) => file);

test("docs/security.md has every threat, and no other one", () => {
  assert.deepEqual([...sections.keys()].sort(), [...THREATS].sort());
});

for (const [name, section] of sections)
  test(`${name}: says what stops it, what remains, and which test shows it`, () => {
    for (const part of ["Mechanism", "What remains", "Proof"])
      assert.match(section, new RegExp(`\\*\\*${part}\\.\\*\\* \\S`), part);
    assert.ok(filesIn(section.split("**Proof.**")[1] ?? "").length > 0);
  });

test("every test file that docs/security.md names exists", () => {
  const missing = filesIn(DOCS).filter((file) => !existsSync(fileURLToPath(new URL(file, ROOT))));
  assert.deepEqual(missing, []);
});

test("every test of test/integration/security is named", () => {
  const named = new Set(filesIn(DOCS));
  const folder = fileURLToPath(new URL("test/integration/security/", ROOT));
  for (const name of readdirSync(folder).filter((each) => each.endsWith(".test.ts")))
    assert.ok(named.has(`test/integration/security/${name}`), name);
});
