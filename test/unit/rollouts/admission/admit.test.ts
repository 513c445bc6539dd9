import assert from "node:assert/strict";
import { test } from "node:test";
import { type AdmissionInput, admit } from "@muster/control-plane/rollouts/admission/admit";
import { parseWindow } from "@muster/shared/time/weekly-window";
import { type Box, boundless, box, candidate, placesOf } from "./places.ts";

const HOUR = 3_600_000;
const noon = Date.parse("2026-11-22T12:00Z");

const boxes = (count: number, site: (index: number) => string, more: Partial<Box> = {}) =>
  Array.from({ length: count }, (_, index) => box(`d${index}`, site(index), more));

const freeze = (site: string | null, from: number, to: number) => ({
  id: "f",
  from,
  to,
  site,
  reason: "holidays",
  createdBy: "ada",
});

/** The outcome as one letter a candidate: `+` for admitted, else the reason. */
const outcome = (input: AdmissionInput) => {
  const { admitted, held } = admit(input);
  assert.equal(admitted.length + held.size, input.candidates.length);
  return input.candidates.map(({ device }) => (admitted.includes(device) ? "+" : (held.get(device) ?? "?")));
};

test("without limits everybody is admitted, in the order of the candidates", () => {
  const input = boundless(boxes(5, () => "a"));
  const { admitted, held, pace, nextAt } = admit({ ...input, candidates: input.candidates.toReversed() });
  assert.deepEqual(admitted, ["d4", "d3", "d2", "d1", "d0"]);
  assert.equal(held.size, 0);
  assert.equal(pace, null);
  assert.equal(nextAt, null);
});

test("who is offline, waits for a retry or belongs to another rollout is held and blocks nobody", () => {
  const fleet = boxes(5, () => "a");
  const input = boundless(fleet);
  const [a, b, c, d, e] = fleet.map((one) => candidate(one));
  const candidates = [
    { ...a!, online: false },
    { ...b!, notBefore: noon + 5000 },
    { ...c!, notBefore: noon },
    { ...d!, busyElsewhere: true },
    e!,
  ];
  assert.deepEqual(outcome({ ...input, candidates }), ["offline", "retry", "+", "other-rollout", "+"]);
  assert.equal(admit({ ...input, candidates }).nextAt, noon + 5000);
});

test("a freeze holds a site and those below it, from its beginning until before its end", () => {
  const input = boundless([box("d0", "eu/de"), box("d1", "eu/de/b"), box("d2", "eu/den"), box("d3", "us")]);
  const frozen = (site: string | null, from: number, to: number) =>
    outcome({ ...input, freezes: [freeze(site, from, to)] });
  assert.deepEqual(frozen("eu/de", noon, noon + 1), ["freeze", "freeze", "+", "+"]);
  assert.deepEqual(frozen("eu/de", noon + 1, noon + 2), ["+", "+", "+", "+"]);
  assert.deepEqual(frozen("eu/de", noon - 1, noon), ["+", "+", "+", "+"]);
  assert.deepEqual(frozen(null, noon - HOUR, noon + HOUR), ["freeze", "freeze", "freeze", "freeze"]);
  const freezes = [freeze(null, noon, noon + HOUR), freeze("us", noon, noon + 2 * HOUR)];
  assert.equal(admit({ ...input, freezes }).nextAt, noon + HOUR, "most sites are free after the first");
  const us = input.candidates.filter(({ site }) => site === "us");
  assert.equal(admit({ ...input, candidates: us, freezes }).nextAt, noon + 2 * HOUR, "one only after both");
});

test("windows: of the site, of the plan, or none", () => {
  const fleet = [box("d0", "night"), box("d1", "day"), box("d2", "any")];
  const input = boundless(fleet);
  const places = placesOf(fleet, {
    night: { windows: [parseWindow("02:00-05:00")], timeZone: "Europe/Berlin" },
    day: { windows: [parseWindow("08:00-18:00")] },
  });
  const under = (windows: AdmissionInput["plan"]["windows"]) => ({
    ...input,
    places,
    plan: { ...input.plan, windows },
  });
  assert.deepEqual(outcome(under("site")), ["window", "+", "+"]);
  assert.equal(admit(under("site")).nextAt, Date.parse("2026-11-23T01:00Z"));
  assert.deepEqual(outcome(under("any")), ["+", "+", "+"]);
  assert.deepEqual(outcome(under([parseWindow("13:00-14:00")])), ["+", "window", "window"]);
});

test("in flight, counting those of before", () => {
  const input = boundless(boxes(4, () => "a"));
  const under = (maxInFlight: number, inFlight: number) =>
    outcome({ ...input, inFlight, plan: { ...input.plan, maxInFlight } });
  assert.deepEqual(under(3, 1), ["+", "+", "in-flight", "in-flight"]);
  assert.deepEqual(under(3, 5), ["in-flight", "in-flight", "in-flight", "in-flight"]);
});

test("blast radius of a site: rounded down, at least 1, with those unavailable already", () => {
  const under = (fleet: Box[], percent: number) => {
    const input = boundless(fleet);
    return outcome({
      ...input,
      candidates: input.candidates.filter(({ unavailable }) => !unavailable),
      plan: { ...input.plan, blastRadius: { regionDepth: 2, site: { percent } } },
    }).filter((one) => one === "+").length;
  };
  assert.equal(
    under(
      boxes(7, () => "a"),
      50,
    ),
    3,
  );
  assert.equal(
    under(
      boxes(1, () => "a"),
      50,
    ),
    1,
  );
  assert.equal(
    under(
      boxes(3, () => "a"),
      1,
    ),
    1,
  );
  assert.equal(
    under(
      boxes(375, () => "a"),
      18.4,
    ),
    69,
    "binary fractions take nothing away",
  );
  const down = box("x", "a", { unavailable: true });
  assert.equal(under([...boxes(6, () => "a"), down], 50), 2);
  assert.equal(under([...boxes(1, () => "a"), down], 50), 0, "the only one left goes on serving");
});

test("blast radius of region and hardware class: the first that is used up holds only its own", () => {
  const fleet = [
    box("d0", "eu/de/a"),
    box("d1", "eu/de/b"),
    box("d2", "eu/fr/a"),
    box("d3", "eu", { hardwareClass: "jetson" }),
    box("d4", "us/ca/a", { hardwareClass: "jetson" }),
  ];
  const input = boundless(fleet);
  const under = (blastRadius: AdmissionInput["plan"]["blastRadius"]) =>
    outcome({ ...input, plan: { ...input.plan, blastRadius } });
  assert.deepEqual(under({ regionDepth: 2, region: { count: 1 } }), ["+", "blast-radius", "+", "+", "+"]);
  assert.deepEqual(under({ regionDepth: 1, region: { count: 1 } }), [
    "+",
    "blast-radius",
    "blast-radius",
    "blast-radius",
    "+",
  ]);
  assert.deepEqual(under({ regionDepth: 2, hardwareClass: { count: 1 } }), [
    "+",
    "blast-radius",
    "blast-radius",
    "+",
    "blast-radius",
  ]);
});

test("a device that does not serve anyway is admitted and takes nothing from the others", () => {
  const fleet = [box("d0", "a", { unavailable: true }), box("d1", "a"), box("d2", "a"), box("d3", "a")];
  const input = boundless(fleet);
  const plan = { ...input.plan, blastRadius: { regionDepth: 2, site: { percent: 50 } } };
  assert.deepEqual(outcome({ ...input, plan }), ["+", "+", "blast-radius", "blast-radius"]);
  const down = fleet.map((one) => ({ ...one, unavailable: one.id !== "d3" }));
  const used = { ...boundless(down), plan };
  assert.deepEqual(outcome(used), ["+", "+", "+", "blast-radius"], "also where the limit is used up");
});

test("uplink: another device while what is outstanding drains within a minute, at least one at a time", () => {
  const fleet = [...boxes(3, () => "thin"), box("w0", "wide"), box("w1", "wide"), box("w2", "wide")];
  const input = boundless(fleet);
  // 1000 kbit/s, half of it, for 60 s: 3.75 MB.
  const under = (bytes: number, outstanding: number) =>
    outcome({
      ...input,
      candidates: fleet.map((one) => candidate(one, { bytes })),
      places: {
        ...placesOf(fleet, { thin: { uplinkKbps: 1000 } }),
        outstandingBytes: (site) => (site === "thin" ? outstanding : 0),
      },
    }).slice(0, 3);
  assert.deepEqual(under(10_000_000, 0), ["+", "uplink", "uplink"]);
  assert.deepEqual(under(3_750_000, 0), ["+", "+", "uplink"]);
  assert.deepEqual(under(1, 3_750_000), ["+", "uplink", "uplink"]);
  assert.deepEqual(under(1, 3_750_001), ["uplink", "uplink", "uplink"]);
  assert.deepEqual(under(0, 9_000_000), ["+", "+", "+"], "what needs no download needs no line");
  assert.equal(outcome({ ...input, places: placesOf(fleet, { thin: { uplinkKbps: 1 } }) })[3], "+");
});

test("pace: the rest waits for the moment at which one more may be told", () => {
  const input = boundless(boxes(3, () => "a"));
  const paced = { ...input, plan: { ...input.plan, pace: { maximumPerMinute: 30 } } };
  const first = admit(paced);
  assert.deepEqual(first.admitted, ["d0"]);
  assert.equal(first.held.get("d1"), "pace");
  assert.equal(first.nextAt, noon + 2000);
  const again = admit({ ...paced, pace: first.pace, notified: 1, now: noon + 1000 });
  assert.deepEqual(again.admitted, []);
  assert.equal(again.pace, first.pace, "nothing to store");
  assert.equal(admit({ ...paced, pace: first.pace, notified: 1, now: noon + 2000 }).admitted.length, 1);
});

test("room of the tick comes last, and the next tick goes on", () => {
  const input = { ...boundless(boxes(3, () => "a")), room: 2 };
  assert.deepEqual(outcome(input), ["+", "+", "tick"]);
  assert.equal(admit(input).nextAt, noon + 1000);
});

test("of several reasons the first in the stated order is said", () => {
  const fleet = [box("d0", "a"), box("d1", "a", { unavailable: false })];
  const input = boundless(fleet);
  const everything: AdmissionInput = {
    ...input,
    candidates: [candidate(fleet[0]!, { online: false, notBefore: noon + 1, busyElsewhere: true })],
    places: {
      ...placesOf(fleet, { a: { windows: [parseWindow("01:00-02:00")], uplinkKbps: 1 } }),
      site: () => ({ devices: 2, unavailable: 2 }),
      outstandingBytes: () => 1_000_000,
    },
    plan: {
      ...input.plan,
      pace: { maximumPerMinute: 1 },
      maxInFlight: 1,
      blastRadius: { regionDepth: 2, site: { count: 1 } },
    },
    pace: { credit: 0, at: noon },
    freezes: [freeze(null, noon, noon + 1)],
    inFlight: 1,
    room: 0,
  };
  const [only] = everything.candidates;
  const steps: [string, Partial<AdmissionInput>][] = [
    ["offline", {}],
    ["retry", { candidates: [{ ...only!, online: true }] }],
    ["freeze", { candidates: [{ ...only!, online: true, notBefore: null }] }],
    ["window", { freezes: [] }],
    ["other-rollout", { plan: { ...everything.plan, windows: "any" } }],
    ["in-flight", { candidates: [{ ...only!, online: true, notBefore: null, busyElsewhere: false }] }],
    ["blast-radius", { inFlight: 0 }],
    ["uplink", { places: { ...everything.places, site: () => ({ devices: 2, unavailable: 0 }) } }],
    ["pace", { places: placesOf(fleet) }],
    ["tick", { pace: null }],
    ["+", { room: 1 }],
  ];
  let state = everything;
  for (const [expected, change] of steps) {
    state = { ...state, ...change };
    assert.deepEqual(outcome(state), [expected]);
  }
});
