import { MusterError } from "../errors.ts";
import { type HardwareFacts, hardwareClassOf } from "./hardware.ts";
import type { ModelComponent, ModelVariant, Requirements } from "./release.ts";

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
  return undefined;
}

export interface ChosenVariant {
  variant: ModelVariant;
  /** First provider of the variant's list that the device has. */
  provider: string;
}

/**
 * The best variant that the device can run: the first in the release's order of preference.
 * @throws MusterError `release.no-variant` that names each variant and what it lacks
 */
export function chooseVariant(component: ModelComponent, facts: HardwareFacts): ChosenVariant {
  const reasons: string[] = [];
  for (const variant of component.variants) {
    const reason = unmetRequirement(variant.requires, facts);
    const provider = variant.requires.providers.find((name) => facts.providers.includes(name));
    if (reason === undefined && provider !== undefined) return { variant, provider };
    reasons.push(`${variant.id} ${reason}`);
  }
  throw new MusterError(
    "release.no-variant",
    `No variant of ${component.name} runs here: ${reasons.join("; ")}.`,
  );
}
