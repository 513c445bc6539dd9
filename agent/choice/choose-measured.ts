import { readFile } from "node:fs/promises";
import { MusterError } from "@muster/shared/errors";
import type { ChoiceReport } from "@muster/shared/protocol/choice";
import { ReferenceSet } from "@muster/shared/protocol/model-evidence";
import type { Objective } from "@muster/shared/protocol/serving/objective";
import { parseJson } from "@muster/shared/protocol/validate";
import type { ModelDeployment } from "../inference/deployment.ts";
import { type Contender, choose } from "./choose.ts";
import type { Measure } from "./measure-once.ts";
import type { Measurement } from "./measurement.ts";

export interface MeasuredChoice {
  /** Index of the candidate that won. */
  readonly winner: number;
  /** Indices of the others that meet the objective, the best one first. */
  readonly standby: readonly number[];
  readonly report: ChoiceReport;
}

/**
 * Measures the candidates one after the other and takes the best that meets the objective.
 * @param candidates in the release's order; at least one
 * @throws MusterError `model.none-qualifies` with the reason of each, `artifact.corrupted` for a damaged file, or
 *   `request.conflict` when the signal fired
 */
export async function chooseMeasured(
  candidates: readonly ModelDeployment[],
  objective: Objective,
  measure: Measure,
  signal: AbortSignal,
): Promise<MeasuredChoice> {
  const contenders: Contender[] = [];
  for (const candidate of candidates) {
    const { variant, provider } = candidate;
    const accuracy = await accuracyOf(candidate);
    const measurement: Measurement =
      accuracy === undefined
        ? {
            failure: { code: "model.reference-invalid", message: "Its reference set cannot be read." },
            step: "start",
          }
        : await measure(candidate, signal);
    if ("failure" in measurement && measurement.failure.code === "artifact.corrupted")
      throw new MusterError(measurement.failure.code, measurement.failure.message);
    contenders.push({ variant, provider, accuracy: accuracy ?? 0, measurement });
  }
  const { winner, reasons, standby } = choose(contenders, objective);
  const best = contenders[winner ?? -1];
  if (winner === null || !best || !("measured" in best.measurement)) throw noneQualifies(candidates, reasons);
  const losers = contenders.flatMap(({ variant, provider, measurement }, index) => {
    const reason = reasons[index] ?? null;
    if (reason === null) return [];
    return [
      { variant, provider, reason, ...("measured" in measurement && { measured: measurement.measured }) },
    ];
  });
  const { accuracy, measurement } = best;
  return { winner, standby, report: { objective, measured: measurement.measured, accuracy, losers } };
}

/** As the reference set states it; undefined for a set that cannot be read. */
async function accuracyOf({ referencePath }: ModelDeployment): Promise<number | undefined> {
  try {
    const text = await readFile(referencePath, "utf8");
    return parseJson(ReferenceSet, text, "model.reference-invalid").accuracy;
  } catch {
    return undefined;
  }
}

function noneQualifies(candidates: readonly ModelDeployment[], reasons: readonly (string | null)[]) {
  const [first] = candidates;
  const told = candidates.map(
    ({ variant, provider }, index) => `${variant} on ${provider}: ${reasons[index]}`,
  );
  return new MusterError(
    "model.none-qualifies",
    `No variant of ${first?.name} ${first?.version} met the objective. ${told.join(" ")}`.slice(0, 1000),
  );
}

/** What an operator is told of a choice, one sentence. */
export function choiceSentence(
  model: ModelDeployment,
  { measured, losers, objective }: ChoiceReport,
): string {
  const { p50Ms, p95Ms, cpuMs, agreement, memoryMiB, placement } = measured;
  const where =
    placement === null ? "" : `, ${Math.round(placement * 100)} % of the nodes on ${model.provider}`;
  const numbers = `median ${p50Ms} ms, p95 ${p95Ms} ms, ${cpuMs} ms of processor time, agreement ${Math.round(agreement * 10_000) / 100} %, ${memoryMiB} MiB${where}`;
  const others = losers.map(({ variant, provider, reason }) => `${variant} on ${provider}: ${reason}`);
  return `${model.name} ${model.version} runs as ${model.variant} on ${model.provider} by ${objective.prefer}: ${numbers}. ${others.join(" ")}`
    .trim()
    .slice(0, 1000);
}
