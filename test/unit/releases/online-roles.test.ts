import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type RolesInForce,
  SNAPSHOT_VALIDITY,
  signDue,
  TIMESTAMP_VALIDITY,
} from "@muster/control-plane/trust/online-roles";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";

const NOW = Date.parse("2026-11-22T08:00:00Z");
const HOUR = 3_600_000;
const keys = {
  snapshot: signingKeyFrom(Buffer.alloc(32, 1)),
  timestamp: signingKeyFrom(Buffer.alloc(32, 2)),
  directive: signingKeyFrom(Buffer.alloc(32, 3)),
};

const inForce = (snapshotAge: number, timestampAge: number): RolesInForce => ({
  targets: { version: 4, expiresAt: NOW + 10 * SNAPSHOT_VALIDITY },
  snapshot: { version: 7, expiresAt: NOW + SNAPSHOT_VALIDITY - snapshotAge },
  timestamp: { version: 9, expiresAt: NOW + TIMESTAMP_VALIDITY - timestampAge },
});

const table: [string, RolesInForce, boolean, string[]][] = [
  ["fresh metadata stays", inForce(0, 0), false, []],
  ["just under half stays", inForce(SNAPSHOT_VALIDITY / 2 - HOUR, TIMESTAMP_VALIDITY / 2 - HOUR), false, []],
  ["a timestamp past half is renewed", inForce(0, TIMESTAMP_VALIDITY / 2), false, ["timestamp 10"]],
  [
    "a snapshot past half is renewed, and the timestamp over it",
    inForce(SNAPSHOT_VALIDITY / 2, 0),
    false,
    ["snapshot 8", "timestamp 10"],
  ],
  ["new targets renew both", inForce(0, 0), true, ["snapshot 8", "timestamp 10"]],
  [
    "the first targets make both",
    { targets: { version: 1, expiresAt: NOW + HOUR }, snapshot: undefined, timestamp: undefined },
    true,
    ["snapshot 1", "timestamp 1"],
  ],
  [
    "expired metadata is renewed after a long stop",
    inForce(SNAPSHOT_VALIDITY * 2, TIMESTAMP_VALIDITY * 9),
    false,
    ["snapshot 8", "timestamp 10"],
  ],
];

for (const [what, roles, targetsChanged, expected] of table)
  test(what, () => {
    const signed = signDue(roles, keys, targetsChanged, NOW);
    assert.deepEqual(
      signed.map(({ role, version }) => `${role} ${version}`),
      expected,
    );
    for (const { role, body, expires_at } of signed) {
      const validity = role === "snapshot" ? SNAPSHOT_VALIDITY : TIMESTAMP_VALIDITY;
      assert.equal(expires_at, NOW + validity);
      assert.equal(Date.parse(JSON.parse(body).signed.expires), NOW + validity);
    }
  });
