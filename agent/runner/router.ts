import type { IncomingMessage, ServerResponse } from "node:http";
import { MusterError } from "@muster/shared/errors";
import { type Answer, jsonAnswer } from "./http.ts";
import { configRoutes } from "./routes/config.ts";
import { healthRoutes } from "./routes/health.ts";
import { inferRoutes } from "./routes/infer.ts";
import { metadataRoutes } from "./routes/metadata.ts";
import { repositoryRoutes } from "./routes/repository.ts";
import type { PathParameters, Route, Service } from "./routes/route.ts";
import { statsRoutes } from "./routes/stats.ts";

/** Of two routes that fit a path the first counts. */
const ROUTES = [
  ...inferRoutes,
  ...healthRoutes,
  ...repositoryRoutes,
  ...statsRoutes,
  ...configRoutes,
  ...metadataRoutes,
].map((route) => ({ route, segments: route.path.split("/").slice(1) }));

/** Addresses that are remembered; when there are more they are all forgotten. */
const REMEMBERED = 256;
/** A longer address is never remembered. */
const REMEMBERED_LENGTH = 512;

/** What an address means, for each method that it takes. */
type Address = ReadonlyMap<string, { readonly route: Route; readonly parameters: PathParameters }>;

/** Finds the route of a request and lets it answer. */
export class Router {
  readonly #service: Service;
  readonly #known = new Map<string, Address>();

  constructor(service: Service) {
    this.#service = service;
  }

  /**
   * @returns undefined where a sibling gives the answer itself
   * @throws MusterError what the route throws
   */
  answer(request: IncomingMessage, response: ServerResponse): Answer | Promise<Answer | undefined> {
    const address = this.#addressOf(request.url ?? "/");
    const found = address.get(request.method ?? "");
    if (!found) return methodNotAllowed([...address.keys()]);
    const { route, parameters } = found;
    const sibling =
      parameters.model === undefined || route.anyRunner
        ? undefined
        : this.#service.siblings.find(parameters.model, parameters.version);
    if (!sibling) return route.handle(this.#service, request, parameters);
    return this.#service.forwarder.forward(sibling, request, response).then(() => undefined);
  }

  /** @throws MusterError `request.not-found` */
  #addressOf(url: string): Address {
    const known = this.#known.get(url);
    if (known) return known;
    const address = resolve(url);
    if (address.size === 0) throw new MusterError("request.not-found", "There is nothing at this address.");
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    if (url.length <= REMEMBERED_LENGTH) this.#known.set(url, address);
    return address;
  }
}

function resolve(url: string): Address {
  const segments = segmentsOf(url);
  const address = new Map<string, { route: Route; parameters: PathParameters }>();
  for (const { route, segments: pattern } of ROUTES) {
    const parameters = match(pattern, segments);
    if (parameters && !address.has(route.method)) address.set(route.method, { route, parameters });
  }
  return address;
}

function methodNotAllowed(methods: readonly string[]): Answer {
  const allow = methods.join(", ");
  const body = { error: `This address takes ${allow}.`, code: "request.method-not-allowed" };
  return jsonAnswer(405, body, { allow });
}

/** Path segments, decoded; one slash at the end does not matter. */
function segmentsOf(url: string): string[] {
  const path = url.split("?", 1)[0]!.replace(/\/$/, "");
  try {
    return path.split("/").slice(1).map(decodeURIComponent);
  } catch (cause) {
    throw new MusterError("request.invalid", "The address has a malformed escape.", { cause });
  }
}

function match(pattern: readonly string[], segments: readonly string[]): PathParameters | undefined {
  if (pattern.length !== segments.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index]!;
    if (part.startsWith(":")) parameters[part.slice(1)] = segment;
    else if (part !== segment) return undefined;
  }
  return parameters;
}
