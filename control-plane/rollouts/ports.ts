/** Hands a payload to the broker; rejects where the broker did not take it. */
export type PublishDown = (
  device: string,
  channel: "desired",
  payload: string,
  options: { retain: true },
) => Promise<void>;

/** Log of the process. */
export interface RolloutLog {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
