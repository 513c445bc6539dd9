import { LATENCY_EDGES_MS } from "@muster/shared/protocol/metric-edges";
import type { ShadowModel } from "@muster/shared/protocol/shadow-report";
import { quantile } from "@muster/shared/stats/histogram";
import type { Command } from "commander";
import type { ShadowReportList } from "../../api/schemas/shadow.ts";
import type { Cli } from "../cli.ts";
import type { OperatorClient } from "../client.ts";
import type { Column } from "../table.ts";
import { printable } from "../terminal.ts";

type Report = ShadowReportList["reports"][number];

/** One model of one report; a report without models has one line too. */
interface Line {
  report: Report;
  model: ShadowModel | undefined;
}

const share = (part: number, whole: number): string =>
  whole === 0 ? "-" : `${Math.round((1000 * part) / whole) / 10} %`;

/** 95th percentile, as far as its bin tells it. */
const p95 = ({ counts }: ShadowModel["latency"]["live"]): string => {
  const found = quantile(LATENCY_EDGES_MS, counts, 0.95);
  return found ? `${Number(found.value.toPrecision(2))} ms` : "-";
};

const COLUMNS: Column<Line>[] = [
  { title: "DEVICE", value: ({ report }) => printable(report.name) },
  { title: "SITE", value: ({ report }) => report.site },
  { title: "VERDICT", value: ({ report }) => report.report.payload.verdict },
  { title: "MODEL", value: ({ model }) => model?.model ?? "-" },
  { title: "COMPARED", value: ({ model }) => String(model?.compared ?? 0), right: true },
  { title: "AGREED", value: ({ model }) => (model ? share(model.agreed, model.compared) : "-"), right: true },
  { title: "P95 LIVE", value: ({ model }) => (model ? p95(model.latency.live) : "-"), right: true },
  { title: "CANDIDATE", value: ({ model }) => (model ? p95(model.latency.candidate) : "-"), right: true },
  {
    title: "PSI (CHANCE)",
    value: ({ model }) =>
      model?.psi ? `${model.psi.value.toFixed(3)} (${model.psi.chance.toFixed(3)})` : "-",
    right: true,
  },
  { title: "REASON", value: ({ report }) => printable(report.report.payload.reason) },
];

/** `muster rollout shadow`: what devices found out about the release before it served. */
export function shadowCommand(group: Command, cli: Cli): void {
  cli.leaf(
    group,
    {
      name: "shadow <rollout>",
      summary: "what each device found out about the release beside its live one",
      examples: [["muster rollout shadow ROLLOUT", "agreement, latency and drift of each device"]],
    },
    (command) => command,
    async ([id = ""]) => {
      const reports = await allReports(await cli.client(), id);
      const lines = reports.flatMap((report): Line[] => {
        const { models } = report.report.payload;
        return models.length > 0
          ? models.map((model) => ({ report, model }))
          : [{ report, model: undefined }];
      });
      cli.output.list(
        reports,
        COLUMNS,
        lines,
        "No device has reported a shadow: the plan has none, or it is still under way.",
      );
    },
  );
}

async function allReports(client: OperatorClient, rollout: string): Promise<Report[]> {
  const all: Report[] = [];
  let cursor: string | null = null;
  do {
    const query: Record<string, string> = cursor === null ? {} : { cursor };
    const page: ShadowReportList = await client.get<ShadowReportList>(
      `/rollouts/${encodeURIComponent(rollout)}/shadow`,
      query,
    );
    all.push(...page.reports);
    cursor = page.next;
  } while (cursor !== null);
  return all;
}
