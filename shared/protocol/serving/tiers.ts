/** Importance of a request, most important first. Within a tier the earliest deadline goes first. */
export const TIERS = ["critical", "standard", "best-effort"] as const;
export type Tier = (typeof TIERS)[number];
