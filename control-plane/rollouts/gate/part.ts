import type { ConditionView } from "./views.ts";

/** What one half of a metric rule, limit or tolerance, says. */
export interface Part {
  verdict: ConditionView["verdict"];
  words: string;
  /** Hardware classes that speak against the release, where it is violated. */
  against?: readonly string[];
  /** Class whose numbers are the ones to show, where it is violated on single classes and not on the whole. */
  only?: string;
}
