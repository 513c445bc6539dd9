import type { IncomingMessage } from "node:http";
import type { BodyReader } from "../bodies.ts";
import type { Forwarder } from "../forward/forwarder.ts";
import type { Siblings } from "../forward/siblings.ts";
import type { Answer } from "../http.ts";
import type { Infer } from "../infer.ts";
import type { Models } from "../models.ts";
import type { RequestLimits } from "../request-limits.ts";
import type { Statistics } from "../statistics.ts";

/** What the routes work with. */
export interface Service {
  readonly agentVersion: string;
  readonly models: Models;
  readonly siblings: Siblings;
  readonly forwarder: Forwarder;
  readonly bodies: BodyReader;
  readonly infer: Infer;
  readonly limits: RequestLimits;
  readonly statistics: Statistics;
}

/** Segments of the path that the route names with a colon, decoded. */
export type PathParameters = Readonly<Record<string, string>>;

export type Handler = (
  service: Service,
  request: IncomingMessage,
  parameters: PathParameters,
) => Answer | Promise<Answer>;

/** One method on one path; `:name` segments become parameters. */
export interface Route {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly handle: Handler;
  /** Any runner answers, also about the model of a sibling. Otherwise such a request is handed on. */
  readonly anyRunner?: true;
}
