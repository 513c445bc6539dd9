import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { fuzz } from "./run.ts";

/**
 * Feeds every parser with changed and arbitrary inputs: `npm run fuzz -- --minutes 10`. The last line is one JSON
 * object; the exit status is 1 when a parser crashed, hung or grew without bound. With `--only NAME --input FILE` one
 * input is tried again.
 */
const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string" },
    inputs: { type: "string" },
    only: { type: "string" },
    input: { type: "string" },
  },
});

function number(name: string, text: string, most: number): number {
  const value = Number(text);
  if (!(value > 0) || value > most) {
    console.error(`--${name} takes a number above 0 and up to ${most}, not ${text}.`);
    process.exit(2);
  }
  return value;
}

const seed = values.seed === undefined ? randomInt(1, 2 ** 31) : number("seed", values.seed, 2 ** 31);
const seconds = number("minutes", values.minutes, 10_000) * 60;
const { counts, faults } = await fuzz({
  seed,
  seconds,
  inputs: values.inputs === undefined ? undefined : number("inputs", values.inputs, 1e9),
  only: values.only,
  input: values.input === undefined ? undefined : readFileSync(values.input).toString("base64"),
});
console.error(
  `${"parser".padEnd(28)} ${"inputs".padStart(9)} ${"taken".padStart(9)} ${"refused".padStart(9)}  slowest`,
);
for (const { target, inputs, accepted, refused, slowestMs } of counts)
  console.error(
    `${target.padEnd(28)} ${String(inputs).padStart(9)} ${String(accepted).padStart(9)} ${String(refused).padStart(9)}  ${slowestMs.toFixed(1)} ms`,
  );
for (const { target, what, input } of faults)
  console.error(`\nFAULT in ${target}: ${what}\ninput (base64): ${input}`);
console.log(JSON.stringify({ fuzz: { seed, seconds, targets: counts, faults } }));
process.exitCode = faults.length > 0 ? 1 : 0;
