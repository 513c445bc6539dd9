import type { IncomingMessage } from "node:http";
import type { Answer, BodyReader } from "../http.ts";
import type { Infer } from "../infer.ts";
import type { LoadedModel } from "../model.ts";

/** What the routes work with. */
export interface Service {
  readonly agentVersion: string;
  readonly models: ReadonlyMap<string, LoadedModel>;
  readonly bodies: BodyReader;
  readonly infer: Infer;
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
