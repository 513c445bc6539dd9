import { parseSelector, printSelector, type Selector } from "../fleet/selector.ts";
import type { Reach } from "./reach.ts";

/** Whether the selector can select nothing outside, whatever the fleet becomes: it names its sites itself. */
export function isConfined(selector: Selector, reach: Reach): boolean {
  if (reach.isEverywhere) return true;
  return selector.some(
    ({ key, operator, values }) =>
      key === "site" && operator === "in" && values.every((site) => reach.covers(site)),
  );
}

/**
 * The selector, narrowed to what lies within where it could go beyond.
 * @throws MusterError `selector.invalid`
 */
export function confined(text: string, reach: Reach): string {
  const selector = parseSelector(text);
  if (isConfined(selector, reach)) return text;
  return printSelector([...selector, { key: "site", operator: "in", values: reach.sites }]);
}

/** False where the selector names sites of others alone. */
export const mayTouch = (selector: Selector, reach: Reach): boolean =>
  reach.isEverywhere ||
  !selector.some(
    ({ key, operator, values }) =>
      key === "site" && operator === "in" && !values.some((site) => reach.touches(site)),
  );
