import { HOPS } from "../forward/forwarder.ts";
import { jsonAnswer } from "../http.ts";
import type { LoadedModel } from "../model.ts";
import { exchange } from "../sibling-http.ts";
import { findModel } from "./find-model.ts";
import type { Handler, PathParameters, Route, Service } from "./route.ts";

/** A sibling that computes for longer is left out, milliseconds. */
const SIBLING_MS = 1_000;

interface Entry {
  readonly name: string;
  readonly version: string;
}

/** The entries of models that this runner has. */
const entriesOf = ({ statistics }: Service, models: readonly LoadedModel[]) =>
  models.map(({ deployment }) => statistics.of(deployment));

/** Those of every runner, in the release's order; a sibling that does not answer is left out. */
async function allEntries(service: Service): Promise<Entry[]> {
  const { models, siblings } = service;
  const entries: Entry[] = entriesOf(service, models.all);
  const told = new Map(siblings.standings.map((standing) => [standing.runner, standing]));
  for (const standing of told.values()) {
    if (models.find(standing.name, standing.version)) continue;
    const asked = { method: "GET", path: "/v2/models/stats" } as const;
    const reply = await exchange(standing, asked, AbortSignal.timeout(SIBLING_MS)).catch(() => undefined);
    if (reply?.status === 200) entries.push(...JSON.parse(reply.body.toString()).model_stats);
  }
  const place = ({ name, version }: Entry): number =>
    siblings.standings.findIndex((standing) => standing.name === name && standing.version === version);
  return siblings.standings.length === 0 ? entries : entries.sort((a, b) => place(a) - place(b));
}

const all: Handler = async (service, { headers }) => {
  const entries = headers[HOPS] ? entriesOf(service, service.models.all) : await allEntries(service);
  return jsonAnswer(200, { model_stats: entries });
};

/** Without a version all versions that the runner of the first one has. */
function versionsOf(service: Service, parameters: PathParameters): readonly LoadedModel[] {
  const found = findModel(service, parameters);
  if (parameters.version !== undefined) return [found];
  return service.models.all.filter(({ deployment: { name } }) => name === parameters.model);
}

const ofModel: Handler = (service, _request, parameters) =>
  jsonAnswer(200, { model_stats: entriesOf(service, versionsOf(service, parameters)) });

/** Extension `statistics`. */
export const statsRoutes: readonly Route[] = [
  { method: "GET", path: "/v2/models/stats", handle: all },
  { method: "GET", path: "/v2/models/:model/stats", handle: ofModel },
  { method: "GET", path: "/v2/models/:model/versions/:version/stats", handle: ofModel },
];
