import type { DriftDetail, DriftLine } from "../api/schemas/drift.ts";
import { table } from "./table.ts";
import { printable, type Style } from "./terminal.ts";
import { bar } from "./words.ts";

type Paint = (style: Style, text: string) => string;

const STYLES: Readonly<Record<DriftLine["band"], Style>> = {
  none: "green",
  slight: "yellow",
  moderate: "yellow",
  severe: "red",
};

/** Characters of the bars of a histogram. */
const BAR = 16;

const psi = (value: number | null): string => (value === null ? "-" : value.toFixed(3));

export const driftTable = (models: readonly DriftLine[], width: number | undefined): string =>
  table(
    [
      { title: "RELEASE", value: ({ release }) => `${release.name}@${release.version}` },
      { title: "MODEL", value: (row) => row.model },
      { title: "VARIANT", value: (row) => row.variant },
      { title: "SAMPLES", value: (row) => row.samples, right: true },
      { title: "DRIFT", value: (row) => row.band },
      { title: "PSI", value: (row) => (row.worst ? psi(row.worst.psi) : ""), right: true },
      { title: "CHANCE", value: (row) => (row.worst ? psi(row.worst.threshold) : ""), right: true },
      { title: "ALARMS", value: (row) => `${row.alarms} of ${row.devices}`, right: true },
      { title: "FEATURE", value: (row) => row.worst?.feature ?? "" },
    ],
    models,
    width,
  );

/** One variant with every feature in lines for people. */
export function describeDrift(detail: DriftDetail, width: number | undefined, paint: Paint): string {
  const { release, model, version, variant, samples, windows, judged, drifted, rejected, band } = detail;
  const { features, inputs, drifting, devices, alarms, reference } = detail;
  const lines = [
    paint("bold", printable(`${release.name}@${release.version}: ${model} ${version} (${variant})`)),
    `${paint(STYLES[band], `Drift: ${band}.`)} ${samples} inferences in ${windows} windows against ${reference.samples} of the reference; ${drifted} of ${judged} judged windows differed.`,
    `${alarms} of ${devices} devices that watch it now have an alarm of their own.`,
    ...(rejected > 0 ? [`Guards refused ${rejected} requests.`] : []),
    table(
      [
        { title: "FEATURE", value: (row) => row.feature },
        { title: "DRIFT", value: (row) => row.band },
        { title: "PSI", value: (row) => psi(row.psi), right: true },
        { title: "CHANCE", value: (row) => psi(row.threshold), right: true },
        { title: "SAMPLES", value: (row) => row.samples, right: true },
        { title: "WORTH", value: (row) => row.effective, right: true },
      ],
      features,
      width,
    ).trimEnd(),
  ];
  const [worst] = features;
  if (worst && worst.band !== "none")
    lines.push(printable(`${worst.feature}, expected and seen:`), ...bins(worst));
  for (const [tensor, quality] of Object.entries(inputs)) {
    const wrong = (["nan", "infinite", "outOfRange", "constant"] as const).filter(
      (kind) => quality[kind] > 0,
    );
    if (wrong.length > 0)
      lines.push(
        printable(
          `Input ${tensor}: of ${quality.rows} rows ${wrong.map((kind) => `${quality[kind]} ${WORDS[kind]}`).join(", ")}.`,
        ),
      );
  }
  for (const each of drifting)
    lines.push(
      printable(
        `  ${each.name} (${each.site}) differs from ${each.against === "reference" ? "the reference" : "its own beginning"}: ${each.feature ?? "?"}, PSI ${psi(each.psi)}`,
      ),
    );
  return lines.join("\n");
}

const WORDS = {
  nan: "with a NaN",
  infinite: "with an infinity",
  outOfRange: "out of range",
  constant: "with one value throughout",
} as const;

function bins({ edges, expected, counts }: DriftDetail["features"][number]): string[] {
  const share = (values: readonly number[], bin: number): number => {
    const all = values.reduce((sum, value) => sum + value, 0);
    return all === 0 ? 0 : (values[bin] ?? 0) / all;
  };
  const largest = Math.max(...counts.map((_, bin) => Math.max(share(expected, bin), share(counts, bin))));
  return counts.map((_, bin) => {
    const from = bin === 0 ? "" : String(edges[bin - 1]);
    const to = edges[bin] === undefined ? "" : String(edges[bin]);
    const shares = [share(expected, bin), share(counts, bin)];
    const bars = shares.map(
      (value) => `${bar(value / largest, BAR)} ${(100 * value).toFixed(1).padStart(5)} %`,
    );
    return `  ${from.padStart(10)} to ${to.padEnd(10)} ${bars.join("  ")}`;
  });
}
