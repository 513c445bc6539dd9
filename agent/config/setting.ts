import { MusterError } from "@muster/shared/errors";

/** One setting: what it means, its default and how a value from a flag, a variable or the file is read. */
export interface Setting<T> {
  readonly fallback: T;
  readonly help: string;
  /** @returns undefined when the value cannot be used */
  readonly read: (raw: unknown) => T | undefined;
  /** What may be given, for the error message. */
  readonly expects: string;
}

/** A number from `min` to `max`; the setting's name carries the unit. */
export const number = (fallback: number, min: number, max: number, help: string): Setting<number> => ({
  fallback,
  help,
  expects: `a number from ${min} to ${max}`,
  read: (raw) => {
    const value = typeof raw === "string" && raw.trim() !== "" ? Number(raw) : raw;
    return typeof value === "number" && value >= min && value <= max ? value : undefined;
  },
});

export const integer = (fallback: number, min: number, max: number, help: string): Setting<number> => {
  const base = number(fallback, min, max, help);
  return {
    ...base,
    expects: `a whole number from ${min} to ${max}`,
    read: (raw) => {
      const value = base.read(raw);
      return Number.isInteger(value) ? value : undefined;
    },
  };
};

export const text = <F extends string | null>(
  fallback: F,
  pattern: RegExp,
  expects: string,
  help: string,
): Setting<F | string> => ({
  fallback,
  help,
  expects,
  read: (raw) => (typeof raw === "string" && pattern.test(raw) ? raw : undefined),
});

export const oneOf = <const T extends string>(fallback: T, all: readonly T[], help: string): Setting<T> => ({
  fallback,
  help,
  expects: `one of ${all.join(", ")}`,
  read: (raw) => all.find((value) => value === raw),
});

/** An address of `protocol` with nothing behind host and port. */
export const url = (protocol: string, example: string, help: string): Setting<string | null> => {
  const base = text(null, new RegExp(`^${protocol}://[^/\\s]+/?$`), `a URL like ${example}`, help);
  return {
    ...base,
    read: (raw) => {
      const value = base.read(raw);
      return value && URL.canParse(value) ? value : undefined;
    },
  };
};

/** `key=value,key=value`, or an object in the settings file. */
export const pairs = (help: string): Setting<Record<string, string>> => ({
  fallback: {},
  help,
  expects: "key=value pairs, separated by commas",
  read: (raw) => {
    const entries =
      typeof raw === "string"
        ? raw.split(",").map((pair) => pair.split("="))
        : typeof raw === "object" && raw !== null
          ? Object.entries(raw)
          : undefined;
    const ok = entries?.every(
      ([key, value, ...rest]) =>
        typeof key === "string" && key !== "" && typeof value === "string" && rest.length === 0,
    );
    return entries && ok ? (Object.fromEntries(entries) as Record<string, string>) : undefined;
  },
});

/** @throws MusterError `settings.invalid` that names the setting, where it came from and what it takes */
export function readSetting<T>(name: string, setting: Setting<T>, raw: unknown, source: string): T {
  const value = setting.read(raw);
  if (value === undefined)
    throw new MusterError("settings.invalid", `${name} from ${source} must be ${setting.expects}.`);
  return value;
}
