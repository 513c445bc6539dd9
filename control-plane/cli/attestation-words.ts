import type { AttestationHistory, AttestationResource } from "../api/schemas/attestation.ts";
import { printable, type Style } from "./terminal.ts";
import { ago, timestamp } from "./words.ts";

type Finding = AttestationResource["findings"][number];
type Paint = (style: Style, text: string) => string;

const STYLES: Readonly<Record<string, Style>> = {
  affirming: "green",
  warning: "yellow",
  contraindicated: "red",
  none: "dim",
};

/** A tier in its colour. */
const tierText = (tier: string, paint: Paint): string => paint(STYLES[tier] ?? "dim", tier);

const findingLine = ({ tier, code, cause, claim, message }: Finding, paint: Paint): string =>
  `  ${tierText(tier === "affirming" ? "none" : tier, (style, text) => paint(style, text === "none" ? "information" : text))}  ${printable(message)}\n    ${paint("dim", `${code}, ${claim}, cause: ${cause}`)}`;

/** Everything about the verdict on one device, in lines for people. */
export function describeVerdict(device: AttestationResource, now: number, paint: Paint): string {
  const { chain, claims, policy, measurement } = device;
  const missing = chain.missing.map(({ from, to }) => (from === to ? `${from}` : `${from} to ${to}`));
  const rows: [string, string][] = [
    ["verdict", `${tierText(device.verdict, paint)}${device.withheld ? ", gets nothing new" : ""}`],
    ["assurance", device.assurance],
    ["policy", `${policy.mode}, PCR ${policy.pcrs.indices.join(",")} of ${policy.pcrs.bank}`],
    ["references", device.references.join(" ") || "none"],
    ["answered", ago(device.freshAt, now)],
    ...(device.unanswered > 0
      ? [["asked", `${device.unanswered} times without an answer`] as [string, string]]
      : []),
    [
      "chain",
      chain.head === null
        ? "no link yet"
        : `link ${chain.head}${missing.length > 0 ? `, missing ${missing.join(", ")}` : ""}${chain.forked ? ", forked" : ""}`,
    ],
    ...(measurement
      ? [
          ["agent", `${measurement.agent.version} ${measurement.agent.digest.slice(0, 19)}…`] as [
            string,
            string,
          ],
          [
            "measured",
            measurement.release ? `${measurement.release.name} ${measurement.release.version}` : "no release",
          ] as [string, string],
        ]
      : []),
    ...Object.entries(claims ?? {})
      .filter(([, tier]) => tier !== "none")
      .map(([claim, tier], index): [string, string] => [
        index === 0 ? "claims" : "",
        `${claim}: ${tierText(tier, paint)}`,
      ]),
  ];
  return [
    paint("bold", printable(device.name)),
    `  ${printable(device.sentence)}`,
    ...rows.map(([name, value]) => `  ${name.padEnd(12)}${value}`),
    ...device.findings.map((each) => findingLine(each, paint)),
  ].join("\n");
}

/** One line of the history. */
export const historyLine = (
  { at, source, tier, sentence }: AttestationHistory["entries"][number],
  paint: Paint,
): string =>
  `${timestamp(at)}  ${source.padEnd(11)}  ${tier === null ? "refused" : tierText(tier, paint)}  ${printable(sentence)}`;
