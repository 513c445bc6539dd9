import type { ModelKeys } from "../../keys/model-keys.ts";
import { actorOf } from "../actor.ts";
import type { ApiApp } from "../app.ts";
import { ModelKeyList, ModelKeyParams, ModelKeyResource, NewModelKey } from "../schemas/model-keys.ts";

export function modelKeyRoutes(app: ApiApp, keys: ModelKeys): void {
  app.get(
    "/model-keys",
    {
      config: { access: "releases.see" },
      schema: {
        summary: "Keys of sealed models, newest first; never the keys themselves",
        response: { 200: ModelKeyList },
      },
    },
    async () => ({ keys: await keys.list() }),
  );

  app.put(
    "/model-keys/:id",
    {
      config: { access: "releases.add" },
      schema: {
        summary: "Store the key that a model is sealed with; it cannot be read again",
        params: ModelKeyParams,
        body: NewModelKey,
        response: { 200: ModelKeyResource },
      },
    },
    async (request) => await keys.put(request.params.id, request.body, actorOf(request)),
  );

  app.delete(
    "/model-keys/:id",
    {
      config: { access: "trust.manage" },
      schema: {
        summary: "Forget a key for good: no device gets it any more",
        params: ModelKeyParams,
        response: { 200: ModelKeyResource },
      },
    },
    async (request) => await keys.withdraw(request.params.id, actorOf(request)),
  );
}
