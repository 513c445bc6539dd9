import type { Grant } from "./grants.ts";

/** Who asks, and by what right. */
export interface Principal {
  /** Of the operator: what he does stands under it. */
  readonly id: string;
  readonly name: string;
  /** What he may do where: those of the operator, narrowed by the token. */
  readonly grants: readonly Grant[];
  /** How he proved it. */
  readonly by: "token" | "page" | "cli";
  /** Id of the token or session. */
  readonly credential: string;
  /** When the token or session ends, milliseconds since the epoch; null for a token without an end. */
  readonly expiresAt: number | null;
  /** Of a session of the page: goes with every change. */
  readonly csrf: string | null;
}
