import assert from "node:assert/strict";
import { test } from "node:test";
import {
  matches,
  meetsAll,
  parseSelector,
  printSelector,
  type SelectorSubject,
} from "@muster/control-plane/fleet/selector";
import { isMusterError } from "@muster/shared/errors";
import fc from "fast-check";

const box: SelectorSubject = {
  id: "daaaaaaaaaaaaaaaaaaaa",
  name: "press-4",
  site: "eu/de/berlin-3",
  hardwareClass: "linux-x64-cpu",
  status: "active",
  liveness: "late",
  trust: { assurance: "tpm-pinned", verdict: "warning", withheld: false },
  agentVersion: "1.2.0+arm",
  arch: "arm64",
  running: { name: "vision", version: "2.0.0-rc.1" },
  effectiveLabels: { line: "4", "muster.io/ring": "early", empty: "" },
  inGroup: (group) => (group === "ovens" ? undefined : group === "presses"),
  inAnyGroup: () => true,
};

const table: [string, boolean][] = [
  ["", true],
  ["  ", true],
  ["site=eu", true],
  ["site=eu/de", true],
  ["site=eu/d", false],
  ["site=eu/de/berlin-3", true],
  ["site=eu/de/berlin-3/x", false],
  ["site!=eu/fr", true],
  ["site!=eu", false],
  ["site in (us, eu/de)", true],
  ["site notin (us,eu/fr)", true],
  ["class=linux-x64-cpu", true],
  ["class!=linux-x64-cpu", false],
  ["name=press-4", true],
  ["id=daaaaaaaaaaaaaaaaaaaa", true],
  ["assurance=tpm-pinned", true],
  ["assurance in (tpm-certified, tpm-pinned)", true],
  ["assurance!=software", true],
  ["verdict=affirming", false],
  ["verdict notin (contraindicated, none)", true],
  ["withheld", false],
  ["!withheld", true],
  ["withheld=true", false],
  ["withheld!=true", true],
  ["line=4", true],
  ["line==4", true],
  ["line = 4 , name = press-4", true],
  ["line=4,name=press-5", false],
  ["line!=4", false],
  ["other!=4", true],
  ["line in (3,4)", true],
  ["line in(3)", false],
  ["line notin (3)", true],
  ["other notin (3)", true],
  ["other in (3)", false],
  ["line", true],
  ["other", false],
  ["!line", false],
  ["! other", true],
  ["muster.io/ring=early", true],
  ["empty=", true],
  ["line=", false],
  ["constructor", false],
  ["in", false],
  ["in=x,notin", false],
  ["liveness=late", true],
  ["liveness in (offline,late)", true],
  ["liveness!=late", false],
  ["status=active", true],
  ["status=revoked", false],
  ["arch=arm64", true],
  ["agent=1.2.0+arm", true],
  ["agent!=1.2.0", true],
  ["agent", true],
  ["release=vision", true],
  ["release=vision@2.0.0-rc.1", true],
  ["release=vision@2.0.0", false],
  ["release!=vision", false],
  ["release notin (vision@1.0.0,sound)", true],
  ["release", true],
  ["!release", false],
  ["group=presses", true],
  ["group=mills", false],
  ["group!=presses", false],
  ["group", true],
  ["!group", false],
  ["group=ovens", false],
  ["group!=ovens", false],
  ["group notin (mills,ovens)", false],
];

const bare: SelectorSubject = {
  ...box,
  agentVersion: null,
  running: null,
  effectiveLabels: {},
  inGroup: () => false,
  inAnyGroup: () => false,
};
const tableOfBare: [string, boolean][] = [
  ["agent", false],
  ["!agent", true],
  ["agent=1.2.0", false],
  ["agent!=1.2.0", true],
  ["!release", true],
  ["release=vision", false],
  ["release!=vision", true],
  ["!group", true],
  ["line!=4", true],
];
for (const [text, expected] of tableOfBare)
  test(`"${text}" ${expected ? "selects" : "leaves out"} a device that has told nothing yet`, () => {
    assert.equal(matches(parseSelector(text), bare), expected);
  });

test("a revoked device is selected only by a selector that names the status", () => {
  const revoked: SelectorSubject = { ...box, status: "revoked" };
  const selected = (text: string) => matches(parseSelector(text), revoked);
  assert.deepEqual(["", "line=4", "status=active", "status!=active"].map(selected), [
    false,
    false,
    false,
    true,
  ]);
  assert.ok(selected("line=4,status in (active,revoked)"));
  assert.ok(meetsAll(parseSelector("line=4"), revoked));
});

for (const [text, expected] of table)
  test(`"${text}" ${expected ? "selects" : "leaves out"} the device`, () => {
    assert.equal(matches(parseSelector(text), box), expected);
  });

const broken: [string, number, string][] = [
  [",", 1, "a key"],
  ["line=4,", 8, "a key"],
  ["=4", 1, "a key"],
  ["Line=4", 1, "a key"],
  ["line=4 name=x", 8, "a comma or the end"],
  ["line in 4", 9, "an opening bracket"],
  ["line in (4", 11, "a comma or a closing bracket"],
  ["line in (4;5)", 11, "a comma or a closing bracket"],
  ["line=a&b", 7, "a comma or the end"],
  ["!", 2, "a key"],
  ["!line=4", 6, "a comma or the end"],
  ["liveness=ofline", 10, "one of online, late, offline, flapping"],
  ["line=4,liveness!=", 18, "one of online, late, offline, flapping"],
  ["status in (active,gone)", 19, "one of active, quarantined, revoked"],
  ["status in (active,,)", 19, "one of active, quarantined, revoked"],
];

for (const [text, position, expected] of broken)
  test(`"${text}" is refused at position ${position}`, () => {
    assert.throws(
      () => parseSelector(text),
      (error) =>
        isMusterError(error, "selector.invalid") &&
        error.message.startsWith(`Selector, position ${position}: ${expected} is expected`),
    );
  });

const value = fc.stringMatching(/^[A-Za-z0-9._-]{0,6}$/);
const key = fc.constantFrom("line", "ring", "a/b", "x.y");
const requirement = fc.oneof(
  fc.record({ key, operator: fc.constantFrom("=", "==", "!="), values: fc.tuple(value) }),
  fc.record({
    key,
    operator: fc.constantFrom(" in ", " notin "),
    values: fc.array(value, { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ key, operator: fc.constantFrom("", "!"), values: fc.constant([] as string[]) }),
);

test("a selector selects what its requirements say one by one", () => {
  const anyLabels = fc.dictionary(key, value, { noNullPrototype: true });
  fc.assert(
    fc.property(fc.array(requirement, { maxLength: 4 }), anyLabels, (requirements, given) => {
      const text = requirements
        .map(({ key: name, operator, values }) => {
          if (values.length === 0) return `${operator}${name}`;
          return operator.startsWith(" ")
            ? `${name}${operator}(${values.join(", ")})`
            : `${name}${operator}${values[0]}`;
        })
        .join(",");
      const expected = requirements.every(({ key: name, operator, values }) => {
        const has = Object.hasOwn(given, name);
        if (operator === "") return has;
        if (operator === "!") return !has;
        const among = has && values.includes(given[name] ?? "");
        return operator === "!=" || operator === " notin " ? !among : among;
      });
      assert.equal(matches(parseSelector(text), { ...box, effectiveLabels: given }), expected, text);
    }),
  );
});

const labels = fc.dictionary(key, value, { noNullPrototype: true });
const written = fc.array(requirement, { maxLength: 5 }).map((requirements) =>
  requirements
    .map(({ key: name, operator, values }) => {
      if (values.length === 0) return `${operator}${name}`;
      return operator.startsWith(" ")
        ? `${name}${operator}( ${values.join(" , ")} ) `
        : `${name} ${operator} ${values[0]}`;
    })
    .join(" , "),
);

test("what is printed reads the same", () => {
  fc.assert(
    fc.property(written, (text) => {
      const selector = parseSelector(text);
      const printed = printSelector(selector);
      assert.deepEqual(parseSelector(printed), selector);
      assert.equal(printSelector(parseSelector(printed)), printed);
    }),
  );
});

test("a list is the same as its values one by one, and each operator is the opposite of another", () => {
  fc.assert(
    fc.property(key, fc.array(value, { minLength: 1, maxLength: 4 }), labels, (name, values, given) => {
      const holds = (text: string) => matches(parseSelector(text), { ...box, effectiveLabels: given });
      const list = `(${values.join(",")})`;
      assert.equal(
        holds(`${name} in ${list}`),
        values.some((each) => holds(`${name}=${each}`)),
      );
      assert.equal(
        holds(`${name} notin ${list}`),
        values.every((each) => holds(`${name}!=${each}`)),
      );
      assert.equal(holds(`${name} notin ${list}`), !holds(`${name} in ${list}`));
      assert.equal(holds(`!${name}`), !holds(name));
      if (holds(`${name} in ${list}`)) assert.ok(holds(name));
      if (holds(`!${name}`)) assert.ok(holds(`${name} notin ${list}`));
    }),
  );
});

test("requirements may come in any order, and one more never selects more", () => {
  fc.assert(
    fc.property(fc.array(written, { maxLength: 4 }), labels, (parts, given) => {
      const some = parts.filter((part) => part !== "");
      const holds = (text: string) => matches(parseSelector(text), { ...box, effectiveLabels: given });
      assert.equal(holds(some.join(",")), holds([...some].reverse().join(",")));
      assert.equal(holds(some.join(",")), some.every(holds));
    }),
  );
});

const anyText = fc.oneof(
  fc.string({ unit: fc.constantFrom(..."ab=!,() /.@+in"), maxLength: 20 }),
  fc.string({ unit: "binary", maxLength: 30 }),
);

test("any text either is a selector or is refused with a position", () => {
  fc.assert(
    fc.property(anyText, (text) => {
      try {
        matches(parseSelector(text), box);
      } catch (error) {
        assert.ok(isMusterError(error, "selector.invalid"));
        const [, position] = /position (\d+)/.exec(error.message) ?? [];
        assert.ok(Number(position) >= 1 && Number(position) <= text.length + 1);
      }
    }),
    { numRuns: 1000 },
  );
});
