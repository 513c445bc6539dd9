import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { buildCsr } from "@muster/agent/identity/csr";
import { DEVICE_API } from "@muster/shared/protocol/device-api";
import { askDeviceApi, type Credentials } from "../../support/fleet/client.ts";
import { startFleet, type TestFleet } from "../../support/fleet/fleet.ts";
import type { TestDevice } from "../../support/fleet/keys.ts";

/** A device that was taken over wants the disk of the control plane, or its audit log, to be full. */
describe("a device that floods", () => {
  let fleet: TestFleet;
  let device: TestDevice & Credentials;
  let other: TestDevice & Credentials;
  let ahead = 0;
  before(async () => {
    fleet = await startFleet({ now: () => Date.now() + ahead });
    device = await fleet.enroll("flood");
    other = await fleet.enroll("calm");
  });
  after(() => fleet?.close());

  const renew = async (who: TestDevice & Credentials) => {
    const body = { csr: await buildCsr(who.id, who.key) };
    return await askDeviceApi(fleet, DEVICE_API.renew, { device: who, method: "POST", body });
  };

  it("gets no more certificates a minute than that, others are not concerned, and a minute later it may", async () => {
    const statuses: number[] = [];
    for (let count = 0; count < 40; count += 1) statuses.push((await renew(device)).status);
    const renewed = statuses.filter((status) => status === 200).length;
    // The minute may turn once on the way.
    assert.ok(renewed === 30 || statuses.lastIndexOf(200) > statuses.indexOf(429), statuses.join());
    assert.ok(statuses.includes(200));
    assert.equal((await renew(other)).status, 200);
    ahead += 60_000;
    assert.equal((await renew(device)).status, 200);
  });

  it("and who is refused over and over fills no log", async () => {
    const before = fleet.audit.head()?.seq ?? 0;
    for (let count = 0; count < 60; count += 1)
      assert.equal((await askDeviceApi(fleet, DEVICE_API.desired)).status, 401);
    const refused = fleet.audit.list({ after: before, action: "device.refuse", limit: 99 });
    assert.ok(refused.length > 0 && refused.length <= 10, String(refused.length));
  });
});
