import type { SelectionResource } from "../api/schemas/selections.ts";
import { releaseName } from "./names.ts";
import { printable } from "./terminal.ts";

/** What a plan would do. */
export function describeSelection(selection: SelectionResource): string {
  const chosen = selection.waves.reduce((sum, wave) => sum + wave.devices.length, 0);
  const reasons = new Map<string, SelectionResource["excluded"]>();
  for (const device of selection.excluded)
    reasons.set(device.reason, [...(reasons.get(device.reason) ?? []), device]);
  const release = releaseName(selection.release);
  return [
    selection.matched === 0
      ? `${release} would go to nobody: the selector matches no device.`
      : `${release} would go to ${chosen} of ${selection.matched} matching devices:`,
    ...selection.waves.map(({ number, devices, offline }) => {
      const names = devices.slice(0, 5).map(({ name, site }) => `${site}/${name}`);
      const more = devices.length > names.length ? ` and ${devices.length - names.length} more` : "";
      const away = offline > 0 ? ` (${offline} offline)` : "";
      return `  wave ${number}: ${devices.length}${away}  ${names.join(", ")}${more}`;
    }),
    ...contendedLines(selection),
    ...[...reasons].map(
      ([reason, devices]) =>
        `  left out, ${reason}: ${devices.length}, e.g. ${devices[0]?.name}: ${devices[0]?.sentence}`,
    ),
  ]
    .map(printable)
    .join("\n");
}

/** Devices that another rollout wants too, by who goes first. */
function contendedLines({ contended }: SelectionResource): string[] {
  return [true, false].flatMap((takesOver) => {
    const some = contended.filter((device) => device.takesOver === takesOver);
    if (some.length === 0) return [];
    const words = takesOver ? "taken over from another rollout" : "waiting for another rollout";
    return [`  ${words}: ${some.length}, e.g. ${some[0]?.name}: ${some[0]?.sentence}`];
  });
}
