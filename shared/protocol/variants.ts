import { MusterError } from "../errors.ts";
import { type HardwareFacts, hardwareClassOf } from "./hardware.ts";
import type { ModelComponent, ModelVariant, Requirements } from "./release.ts";
import type { Objective } from "./serving/objective.ts";

/** Candidates that are measured where the objective does not say how many. */
const DEFAULT_CANDIDATES = 4;

/** Why a device cannot meet the requirements, or undefined when it can. */
function unmetRequirement(requires: Requirements, facts: HardwareFacts): string | undefined {
  const hardwareClass = hardwareClassOf(facts);
  if (!requires.providers.some((provider) => facts.providers.includes(provider)))
    return `needs provider ${requires.providers.join(" or ")}, has ${facts.providers.join(", ") || "none"}`;
  if (requires.arch && !requires.arch.includes(facts.arch))
    return `needs architecture ${requires.arch.join(" or ")}, has ${facts.arch}`;
  if (requires.hardwareClasses && !requires.hardwareClasses.includes(hardwareClass))
    return `is for ${requires.hardwareClasses.join(", ")}, this is ${hardwareClass}`;
  if (requires.minMemoryMiB !== undefined && facts.memoryMiB < requires.minMemoryMiB)
    return `needs ${requires.minMemoryMiB} MiB of memory, has ${facts.memoryMiB}`;
  if (requires.opset !== undefined && facts.opset < requires.opset)
    return `needs opset ${requires.opset}, has ${facts.opset}`;
  return undefined;
}

export interface FittingVariant {
  variant: ModelVariant;
  /** A provider of the variant's list that the device has. */
  provider: string;
}

/** Every variant that the device can run with each provider that it can run on, in the release's order. */
export function fittingVariants(
  component: ModelComponent,
  facts: HardwareFacts,
): { fitting: FittingVariant[]; reasons: string[] } {
  const reasons: string[] = [];
  const fitting = component.variants.flatMap((variant) => {
    const reason = unmetRequirement(variant.requires, facts);
    if (reason !== undefined) reasons.push(`${variant.id} ${reason}`);
    if (reason !== undefined) return [];
    const providers = variant.requires.providers.filter((name) => facts.providers.includes(name));
    return providers.map((provider) => ({ variant, provider }));
  });
  return { fitting, reasons };
}

/** True when the candidates have to be measured before one of them can be taken. */
export const needsMeasuring = (objective: Objective | undefined): objective is Objective =>
  objective !== undefined &&
  (objective.prefer !== "order" ||
    objective.minAgreement !== undefined ||
    objective.minAccuracy !== undefined ||
    objective.maxLatencyMs !== undefined);

/** What a device fetches of a model component. */
export interface PlannedVariants {
  /** Those that it chooses among by measuring, or the one that it takes unmeasured; never empty. */
  candidates: FittingVariant[];
  /** Variants that the cascade of the model asks for beside the chosen one, where the device can run them. */
  cascade: FittingVariant[];
}

/**
 * The variants of a model that a device fetches, in the release's order of preference.
 * @throws MusterError `release.no-variant` that names each variant and what it lacks
 */
export function plannedVariants(component: ModelComponent, facts: HardwareFacts): PlannedVariants {
  const { fitting, reasons } = fittingVariants(component, facts);
  const { objective, cascade = [] } = component.serving ?? {};
  const count = needsMeasuring(objective) ? (objective.maxCandidates ?? DEFAULT_CANDIDATES) : 1;
  const rungs = cascade.flatMap((rung) => {
    const found = rung.use === "variant" && fitting.find(({ variant }) => variant.id === rung.variant);
    return found ? [found] : [];
  });
  if (fitting.length > 0) return { candidates: fitting.slice(0, count), cascade: rungs };
  throw new MusterError(
    "release.no-variant",
    `No variant of ${component.name} runs here: ${reasons.join("; ")}.`,
  );
}
