import { type Static, Type } from "typebox";
import { Grant } from "../grants.ts";

/** Whoever has this value in this claim has this role at this site. */
export const Rule = Type.Object(
  {
    claim: Type.String({ minLength: 1, maxLength: 100 }),
    /** Compared exactly; of a claim with several values one has to be it. */
    value: Type.String({ minLength: 1, maxLength: 500 }),
    ...Grant.properties,
  },
  { additionalProperties: false },
);
export type Rule = Static<typeof Rule>;

export type Claims = Readonly<Record<string, unknown>>;

/** What the claims of a person give him; nothing where no rule fits. */
export function grantsOf(claims: Claims, rules: readonly Rule[]): Grant[] {
  const found = rules.filter(({ claim, value }) => valuesOf(claims, claim).includes(value));
  const unique = new Map(found.map(({ role, site }) => [`${role} ${site}`, { role, site }]));
  return [...unique.values()];
}

function valuesOf(claims: Claims, claim: string): unknown[] {
  // Anybody may have entered an address that nobody has checked.
  if (claim === "email" && claims.email_verified !== true) return [];
  const value = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  return Array.isArray(value) ? value : [value];
}

/** What to call a person: the first of these claims that is a text. */
export function nameOf(claims: Claims, nameClaims: readonly string[]): string {
  for (const claim of nameClaims) {
    const value = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: names go into logs and terminals.
    const text = typeof value === "string" ? value.replaceAll(/[\u0000-\u001f\u007f]/g, "").trim() : "";
    if (text !== "") return text.slice(0, 100);
  }
  return "somebody";
}
