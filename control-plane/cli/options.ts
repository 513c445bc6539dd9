import { MusterError } from "@muster/shared/errors";
import { Option } from "commander";
import { type ControlPlaneSettings, defaultSettings } from "../settings/settings.ts";
import { parseDuration } from "./words.ts";

/** Adds one `key=value` to those collected so far. @throws MusterError `settings.invalid` */
export function collectLabel(text: string, labels: Record<string, string> = {}): Record<string, string> {
  const equals = text.indexOf("=");
  if (equals < 1) throw new MusterError("settings.invalid", `${text} is no label: write key=value.`);
  return { ...labels, [text.slice(0, equals)]: text.slice(equals + 1) };
}

/** As `collectLabel`; `key=` takes a label away. @throws MusterError `settings.invalid` */
export function collectLabelChange(
  text: string,
  labels: Record<string, string | null> = {},
): Record<string, string | null> {
  const equals = text.indexOf("=");
  if (equals < 1) throw new MusterError("settings.invalid", `${text} is no label: write key=value or key=.`);
  return { ...labels, [text.slice(0, equals)]: text.slice(equals + 1) || null };
}

/** Adds one value to those collected so far. */
export const collect = (text: string, values: readonly string[] = []): string[] => [...values, text];

/**
 * Adds one `name=value` of the control plane's settings; what is JSON is taken as such, other text as text.
 * @throws MusterError `settings.invalid` for a name that is no setting
 */
export function collectSetting(
  text: string,
  settings: Partial<ControlPlaneSettings> = {},
): Partial<ControlPlaneSettings> {
  const equals = text.indexOf("=");
  const name = text.slice(0, Math.max(0, equals));
  if (!Object.hasOwn(defaultSettings, name))
    throw new MusterError(
      "settings.invalid",
      `${name || text} is no setting. There are: ${Object.keys(defaultSettings).join(", ")}.`,
    );
  const value = text.slice(equals + 1);
  try {
    return { ...settings, [name]: JSON.parse(value) };
  } catch {
    return { ...settings, [name]: value };
  }
}

/** @throws MusterError `settings.invalid` */
export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new MusterError("settings.invalid", `${text} is not a whole number.`);
  return Number(text);
}

/** @throws MusterError `settings.invalid` */
export function positiveNumber(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new MusterError("settings.invalid", "The least is 1.");
  return value;
}

/** An option for a time span in milliseconds that has a default, which the help says as people write it. */
export const spanOption = (flags: string, description: string, absent: string): Option =>
  new Option(flags, description).argParser(timeSpan).default(timeSpan(absent), absent);

/** Milliseconds of `90s`, `30m`, `12h` or `7d`. @throws MusterError `settings.invalid` */
export function timeSpan(text: string): number {
  const millis = parseDuration(text);
  if (millis === undefined)
    throw new MusterError("settings.invalid", `${text} is no time span: write 90s, 30m, 12h or 7d.`);
  return millis;
}
