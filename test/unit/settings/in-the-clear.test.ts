import assert from "node:assert/strict";
import { test } from "node:test";
import { isInTheClear } from "@muster/control-plane/settings/addresses";

const ADDRESSES: [string, boolean][] = [
  ["https://fleet.example.org", false],
  ["http://127.0.0.1:8080", false],
  ["http://[::1]:8080", false],
  ["http://localhost", false],
  ["http://fleet.example.org", true],
  ["http://127.0.0.1.example.org", true],
  ["http://10.0.0.1:8080", true],
];

for (const [address, expected] of ADDRESSES)
  test(`${address} ${expected ? "crosses a network unencrypted" : "does not cross a network unencrypted"}`, () =>
    assert.equal(isInTheClear(new URL(address)), expected));
