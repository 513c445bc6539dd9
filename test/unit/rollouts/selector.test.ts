import assert from "node:assert/strict";
import { test } from "node:test";
import { matches, parseSelector, type SelectorSubject } from "@muster/control-plane/rollouts/selector";
import { isMusterError } from "@muster/shared/errors";
import fc from "fast-check";

const box: SelectorSubject = {
  id: "daaaaaaaaaaaaaaaaaaaa",
  name: "press-4",
  site: "eu/de/berlin-3",
  hardwareClass: "linux-x64-cpu",
  labels: { line: "4", "muster.io/ring": "early", empty: "" },
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
];

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
];

for (const [text, position, expected] of broken)
  test(`"${text}" is refused at position ${position}`, () => {
    assert.throws(
      () => parseSelector(text),
      (error) =>
        isMusterError(error, "rollout.plan-invalid") &&
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
  const labels = fc.dictionary(key, value, { noNullPrototype: true });
  fc.assert(
    fc.property(fc.array(requirement, { maxLength: 4 }), labels, (requirements, given) => {
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
      assert.equal(matches(parseSelector(text), { ...box, labels: given }), expected, text);
    }),
  );
});

test("any text either is a selector or is refused with a position", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."ab=!,() /.in"), maxLength: 20 }), (text) => {
      try {
        matches(parseSelector(text), box);
      } catch (error) {
        assert.ok(isMusterError(error, "rollout.plan-invalid"));
        assert.match(error.message, /position \d+/);
      }
    }),
    { numRuns: 500 },
  );
});
