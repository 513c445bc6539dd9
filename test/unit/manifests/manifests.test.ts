import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { hardwareClassOf } from "@muster/shared/protocol/hardware";
import { HardwareClass } from "@muster/shared/protocol/hardware-class";
import { ReleaseSpec } from "@muster/shared/protocol/release-spec";
import { parseJson } from "@muster/shared/protocol/validate";

const manifests = new URL("../../../../firmware-manifests/", import.meta.url);
const classes = new URL("hardware-classes/", manifests);

for (const file of readdirSync(classes))
  test(`hardware class ${file}`, () => {
    const found = parseJson(HardwareClass, readFileSync(new URL(file, classes)), "request.invalid");
    assert.equal(`${found.name}.json`, file);
    assert.equal(hardwareClassOf(found), found.name);
  });

for (const name of readdirSync(new URL("releases/", manifests)))
  test(`release spec ${name}`, () => {
    const text = readFileSync(new URL(`releases/${name}/release.json`, manifests));
    assert.equal(parseJson(ReleaseSpec, text, "release.manifest-invalid").name, name);
  });
