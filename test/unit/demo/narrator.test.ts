import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Narrator } from "../../demo/narrator.ts";

function told(isTTY: boolean): string {
  let text = "";
  let now = 0;
  const write = (chunk: string | Uint8Array): boolean => {
    text += String(chunk);
    return true;
  };
  const narrator = new Narrator(() => now, { write, isTTY, columns: 80, rows: 24 });
  narrator.chapter("1. Waves");
  for (const sentence of ["wave 1", "wave 1", "wave 2"]) {
    narrator.progress(sentence);
    now += 1000;
  }
  narrator.keep();
  narrator.say("Done.");
  return text;
}

describe("narrator", () => {
  it("writes each change of what is under way once where there is no terminal", () => {
    assert.equal(told(false), "\n1. Waves\n   0 s  wave 1\n   2 s  wave 2\n   3 s  Done.\n");
  });

  it("draws what is under way in place on a terminal and leaves its last line", () => {
    const back = "\u001b[1A\u001b[J";
    assert.equal(
      told(true),
      `\n1. Waves\n   0 s  wave 1\n${back}   1 s  wave 1\n${back}   2 s  wave 2\n${back}   3 s  wave 2\n   3 s  Done.\n`,
    );
  });
});
