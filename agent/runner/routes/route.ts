import type { IncomingMessage } from "node:http";
import type { ResultRecord } from "../../inference/ports.ts";
import type { Answer, BodyReader } from "../http.ts";
import type { Metrics } from "../metrics.ts";
import type { LoadedModel } from "../model.ts";
import type { Scheduler } from "../scheduler.ts";

/** What the routes work with. */
export interface Service {
  readonly agentVersion: string;
  readonly models: ReadonlyMap<string, LoadedModel>;
  readonly bodies: BodyReader;
  readonly scheduler: Scheduler;
  readonly metrics: Metrics;
  readonly results: {
    add(records: readonly ResultRecord[]): void;
    store(records: readonly ResultRecord[]): Promise<void>;
  };
}

export type Handler = (
  service: Service,
  request: IncomingMessage,
  parameters: Readonly<Record<string, string>>,
) => Answer | Promise<Answer>;

/** One method on one path; `:name` segments become parameters. */
export interface Route {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly handle: Handler;
}
