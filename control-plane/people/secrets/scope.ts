import { MusterError } from "@muster/shared/errors";
import { Name, SitePath } from "@muster/shared/protocol/primitives";
import { type Static, Type } from "typebox";
import { matches, parseSelector, type SelectorSubject } from "../../fleet/selector.ts";
import { EVERYWHERE, isWithin } from "../grants.ts";

/** Which devices get a secret: one of these. */
export const SecretScope = Type.Object(
  {
    device: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
    /** This site and everything below it, `*` for the fleet. */
    site: Type.Optional(Type.Union([Type.Literal(EVERYWHERE), SitePath])),
    selector: Type.Optional(Type.String({ minLength: 1, maxLength: 1000 })),
  },
  { additionalProperties: false, minProperties: 1, maxProperties: 1 },
);
export type SecretScope = Static<typeof SecretScope>;

export const SecretName = Name;

/** `device:ID`, `site:PATH` or `selector:TEXT`. */
export function scopeText({ device, site, selector }: SecretScope): string {
  if (device !== undefined) return `device:${device}`;
  return site === undefined ? `selector:${selector ?? ""}` : `site:${site}`;
}

export function readScope(text: string): SecretScope {
  const [, kind, rest = ""] = /^(device|site|selector):(.*)$/s.exec(text) ?? [];
  if (kind === undefined) throw new MusterError("internal.unexpected", `${text} is no scope of a secret.`);
  return { [kind]: rest };
}

interface Scoped {
  scope: SecretScope;
  /** Milliseconds since the epoch. */
  changedAt: number;
}

const isFor = (
  { device, site, selector }: SecretScope,
  subject: SelectorSubject,
  places: readonly string[],
): boolean => {
  if (device !== undefined) return places.includes(device);
  if (site !== undefined) return isWithin(subject.site, site);
  return matches(parseSelector(selector ?? ""), subject);
};

/** The device itself before its site, the nearest site before those above, selectors last; then the newer one. */
function rank(
  { scope: { device, site }, changedAt }: Scoped,
  places: readonly string[],
): [kind: number, depth: number, at: number] {
  if (device !== undefined) return [2, -places.indexOf(device), changedAt];
  if (site !== undefined) return [1, site === EVERYWHERE ? 0 : site.split("/").length, changedAt];
  return [0, 0, changedAt];
}

function isBefore(a: Scoped, b: Scoped, places: readonly string[]): boolean {
  const [left, right] = [rank(a, places), rank(b, places)];
  const at = left.findIndex((value, place) => value !== right[place]);
  return at >= 0 && (left[at] ?? 0) > (right[at] ?? 0);
}

/**
 * The secrets that a device gets: of those of one name the one that says most precisely that it is meant.
 * @param places ids of the device and of the boards whose place it took, the newest first: what was set for one of
 * those is for it
 */
export function secretsFor<T extends Scoped & { name: string }>(
  secrets: readonly T[],
  subject: SelectorSubject,
  places: readonly string[] = [subject.id],
): T[] {
  const found = new Map<string, T>();
  for (const secret of secrets) {
    const known = found.get(secret.name);
    if (isFor(secret.scope, subject, places) && (!known || isBefore(secret, known, places)))
      found.set(secret.name, secret);
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
