import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LiveArea } from "@muster/control-plane/cli/live-area";
import { table } from "@muster/control-plane/cli/table";
import { painter, printable, type Terminal } from "@muster/control-plane/cli/terminal";
import { ago, bar, bytes, duration, parseDuration } from "@muster/control-plane/cli/words";
import fc from "fast-check";

const columns = [
  { title: "NAME", value: (row: string[]) => row[0] ?? "" },
  { title: "COUNT", value: (row: string[]) => row[1] ?? "", right: true },
];

describe("tables", () => {
  it("aligns text to the left and numbers to the right", () => {
    const text = table(columns, [
      ["a", "1"],
      ["long-name", "1000"],
    ]);
    assert.equal(text, "NAME       COUNT\na              1\nlong-name   1000\n");
  });

  it("fits the width it is given where columns can be cut at all, and cuts nothing without one", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.string({ maxLength: 60 }), fc.string({ maxLength: 60 })), { maxLength: 20 }),
        fc.integer({ min: 20, max: 200 }),
        (rows, width) => {
          for (const line of table(columns, rows, width).split("\n")) assert.ok(line.length <= width);
          const whole = table(columns, rows);
          for (const row of rows)
            for (const cell of row) assert.ok(whole.includes(printable(cell).trimEnd()));
        },
      ),
    );
  });

  it("lets no control character of a name reach the terminal", () => {
    const text = table(columns, [["\u001b[2Jx\u0007\ny", "\u009b1"]]);
    for (const letter of text.replaceAll("\n", "")) assert.ok(letter >= " " && letter < "\u007f", letter);
    assert.equal(text.split("\n").length, 3);
  });
});

describe("colours", () => {
  const terminal = (isTTY: boolean, env: Record<string, string>): Terminal => {
    const stream = { isTTY: isTTY as true, columns: 80, rows: 24, write: () => true };
    return { env, stdout: stream, stderr: stream, now: () => 0 };
  };
  const cases: [isTTY: boolean, env: Record<string, string>, coloured: boolean][] = [
    [true, {}, true],
    [true, { NO_COLOR: "1" }, false],
    [true, { TERM: "dumb" }, false],
    [false, {}, false],
  ];
  for (const [isTTY, env, coloured] of cases)
    it(`are ${coloured ? "on" : "off"} for ${isTTY ? "a terminal" : "a pipe"} with ${JSON.stringify(env)}`, () => {
      assert.equal(painter(terminal(isTTY, env))("red", "x") !== "x", coloured);
    });
});

describe("live area", () => {
  const ESCAPE = "\u001b";
  const screen = (columns: number, rows: number) => {
    const written: string[] = [];
    const write = (text: string | Uint8Array) => written.push(String(text)) > 0;
    return { written, area: new LiveArea({ isTTY: true, columns, rows, write }) };
  };

  it("goes back over what it drew, wrapped lines included, and keeps what was told above", () => {
    const { written, area } = screen(10, 24);
    area.draw(["told"], ["short", "x".repeat(25), `${ESCAPE}[31m${"y".repeat(10)}${ESCAPE}[0m`]);
    area.draw([], []);
    area.draw(["end"], []);
    assert.ok(written[0]?.startsWith("told\nshort\n"));
    assert.equal(written[1], `${ESCAPE}[5A${ESCAPE}[J`);
    assert.equal(written[2], "end\n");
  });

  it("draws no more than the screen holds, also where the terminal does not know its size", () => {
    for (const [columns, rows, fits] of [
      [80, 5, 4],
      [0, 0, 23],
    ] as const) {
      const { written, area } = screen(columns, rows);
      area.draw([], Array(40).fill("line"));
      area.draw([], []);
      assert.equal(written[0]?.split("\n").length, fits + 1);
      assert.equal(written[1], `${ESCAPE}[${fits}A${ESCAPE}[J`);
    }
  });
});

describe("figures in words", () => {
  it("says times and sizes with one unit", () => {
    assert.deepEqual([0, 59_000, 60_000, 3_600_000, 86_400_000 * 400].map(duration), [
      "0 s",
      "59 s",
      "1 min",
      "1 h",
      "400 d",
    ]);
    assert.equal(ago(null, 0), "never");
    assert.equal(ago(1000, 11_000), "10 s ago");
    assert.equal(ago(11_000, 1000), "in 10 s");
    assert.deepEqual([0, 1023, 1536, 1024 ** 3].map(bytes), ["0 B", "1023 B", "1.5 KiB", "1.0 GiB"]);
  });

  it("reads the time spans it documents and nothing else", () => {
    assert.deepEqual(
      ["90s", "30m", "12h", "7d"].map(parseDuration),
      [90_000, 1_800_000, 43_200_000, 604_800_000],
    );
    for (const text of ["", "1", "s", "1.5h", "-1s", "1 s", "1w", "9999999s"])
      assert.equal(parseDuration(text), undefined);
  });

  it("draws bars of the width asked for, whatever the share", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), fc.integer({ min: 0, max: 100 }), (share, width) => {
        assert.equal(bar(share, width).length, width);
      }),
    );
    assert.equal(bar(0.5, 4), "██░░");
  });
});
