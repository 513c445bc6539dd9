import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { matches, parseSelector, type SelectorSubject } from "@muster/control-plane/fleet/selector";
import { mostAsked } from "@muster/control-plane/people/approval-policies";
import { confined, isConfined, mayTouch } from "@muster/control-plane/people/confine";
import { both, type Grant } from "@muster/control-plane/people/grants";
import { Reach } from "@muster/control-plane/people/reach";
import { isAtLeast, ROLES, type Role } from "@muster/control-plane/people/roles";
import fc from "fast-check";

const SITES = ["eu", "eu/de", "eu/de/berlin", "eu/fr", "eu/dead", "us", "us/austin"];
const site = fc.constantFrom(...SITES);
const grant = fc.record({ role: fc.constantFrom(...ROLES), site: fc.constantFrom("*", ...SITES) });
const grants = fc.array(grant, { maxLength: 4 });
const may = (given: readonly Grant[], role: Role, at: string) => Reach.of(given, role).covers(at);

const device = (at: string, ring: string): SelectorSubject => ({
  id: "d1",
  name: "press-1",
  site: at,
  hardwareClass: "x",
  status: "active",
  liveness: "online",
  agentVersion: null,
  arch: "x64",
  running: null,
  effectiveLabels: { ring },
  trust: { assurance: "software", verdict: "none", withheld: false },
  inGroup: () => undefined,
  inAnyGroup: () => false,
});

describe("reach", () => {
  const TABLE: [grants: Grant[], role: Role, sites: string[]][] = [
    [[], "viewer", []],
    [[{ role: "admin", site: "*" }], "viewer", ["*"]],
    [[{ role: "viewer", site: "*" }], "operator", []],
    [
      [
        { role: "operator", site: "eu/de" },
        { role: "viewer", site: "*" },
      ],
      "operator",
      ["eu/de"],
    ],
    [
      [
        { role: "operator", site: "eu/de" },
        { role: "viewer", site: "*" },
      ],
      "viewer",
      ["*"],
    ],
    [
      [
        { role: "admin", site: "eu" },
        { role: "viewer", site: "eu/de" },
      ],
      "viewer",
      ["eu"],
    ],
    [
      [
        { role: "viewer", site: "us" },
        { role: "viewer", site: "eu" },
      ],
      "viewer",
      ["eu", "us"],
    ],
  ];
  for (const [given, role, sites] of TABLE)
    it(`of ${JSON.stringify(given)} as ${role} is ${sites.join(", ") || "nowhere"}`, () => {
      const reach = Reach.of(given, role);
      assert.deepEqual(reach.sites, sites);
      assert.equal(reach.isNowhere, sites.length === 0);
      assert.equal(reach.isEverywhere, sites[0] === "*");
    });

  it("goes by names of the path, not by how they begin", () => {
    const reach = Reach.of([{ role: "viewer", site: "eu/de" }], "viewer");
    assert.deepEqual(
      SITES.filter((each) => reach.covers(each)),
      ["eu/de", "eu/de/berlin"],
    );
    assert.deepEqual(
      SITES.filter((each) => reach.touches(each)),
      ["eu", "eu/de", "eu/de/berlin"],
    );
  });

  it("of a token is what the operator and the token both allow, never more", () => {
    fc.assert(
      fc.property(grants, grants, fc.constantFrom(...ROLES), site, (own, narrow, role, at) => {
        assert.equal(may(both(own, narrow), role, at), may(own, role, at) && may(narrow, role, at));
      }),
    );
  });

  it("of a higher role lies within that of a lower one", () => {
    fc.assert(
      fc.property(grants, fc.constantFrom(...ROLES), fc.constantFrom(...ROLES), site, (own, a, b, at) => {
        if (isAtLeast(a, b) && may(own, a, at)) assert.ok(may(own, b, at));
      }),
    );
  });
});

describe("a selector within reach", () => {
  const requirement = fc.oneof(
    fc.tuple(fc.constantFrom("site=", "site!="), site).map((parts) => parts.join("")),
    fc.array(site, { minLength: 1, maxLength: 3 }).map((sites) => `site in (${sites.join(",")})`),
    fc.array(site, { minLength: 1, maxLength: 3 }).map((sites) => `site notin (${sites.join(",")})`),
    fc.constantFrom("ring=late", "ring!=late", "!ring", "site", "!site"),
  );
  const selector = fc.array(requirement, { maxLength: 3 }).map((parts) => parts.join(","));

  it("selects what it selected before as far as it lies within, and nothing else", () => {
    fc.assert(
      fc.property(selector, grants, site, fc.constantFrom("late", "early"), (text, own, at, ring) => {
        const reach = Reach.of(own, "operator");
        if (reach.isNowhere) return;
        const subject = device(at, ring);
        const narrowed = parseSelector(confined(text, reach));
        assert.ok(isConfined(narrowed, reach));
        assert.equal(matches(narrowed, subject), reach.covers(at) && matches(parseSelector(text), subject));
        if (isConfined(parseSelector(text), reach) && matches(parseSelector(text), subject))
          assert.ok(reach.covers(at));
        if (reach.covers(at) && matches(parseSelector(text), subject))
          assert.ok(mayTouch(parseSelector(text), reach));
      }),
      { numRuns: 500 },
    );
  });
});

describe("approvals that sites ask for", () => {
  const policies = [
    { site: "eu", approvals: 1 },
    { site: "eu/de", approvals: 2 },
    { site: "us", approvals: 3 },
  ];
  const TABLE: [sites: string[], most: number][] = [
    [[], 0],
    [["asia"], 0],
    [["eu/fr"], 1],
    [["eu/fr", "eu/de/berlin"], 2],
    [["eu/dead"], 1],
    [["eu/de", "us/austin"], 3],
  ];
  for (const [sites, most] of TABLE)
    it(`of ${sites.join(", ") || "nobody"} are ${most}`, () => {
      assert.equal(mostAsked(policies, new Set(sites)), most);
    });
  it("hold everywhere where the fleet asks for them", () => {
    assert.equal(mostAsked([{ site: "*", approvals: 1 }], new Set(["asia"])), 1);
  });
});
