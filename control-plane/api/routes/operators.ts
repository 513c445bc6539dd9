import { Type } from "typebox";
import type { ApiApp } from "../app.ts";
import type { Operators } from "../operators.ts";
import { closed, PathText } from "../schemas/common.ts";
import { CreatedOperator, NewOperator, OperatorList, OperatorResource } from "../schemas/operators.ts";

export function operatorRoutes(app: ApiApp, operators: Operators): void {
  app.get("/operators", { schema: { response: { 200: OperatorList } } }, async () => ({
    operators: await operators.list(),
  }));

  app.post(
    "/operators",
    { schema: { body: NewOperator, response: { 201: CreatedOperator } } },
    async (request, reply) => reply.code(201).send(await operators.create(request.body.name)),
  );

  app.delete(
    "/operators/:id",
    { schema: { params: Type.Object({ id: PathText }, closed), response: { 200: OperatorResource } } },
    async (request) => await operators.revoke(request.params.id),
  );
}
