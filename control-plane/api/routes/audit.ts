import { Millis } from "@muster/shared/protocol/primitives";
import { Type } from "typebox";
import type { AuditLog } from "../../audit/audit-log.ts";
import type { ApiApp } from "../app.ts";
import { AuditEntryResource, AuditHead, AuditPage, CheckpointList } from "../schemas/audit.ts";
import { closed } from "../schemas/common.ts";

const DEFAULT_LIMIT = 100;
const Seq = Type.Integer({ minimum: 0 });
const Filter = Type.String({ minLength: 1, maxLength: 512 });

const ListQuery = Type.Object(
  {
    after: Type.Optional(Seq),
    before: Type.Optional(Seq),
    actor: Type.Optional(Filter),
    action: Type.Optional(Filter),
    subject: Type.Optional(Filter),
    from: Type.Optional(Millis),
    to: Type.Optional(Millis),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
  },
  closed,
);

/** The audit log for those who look into it; nothing here can change it. */
export function auditRoutes(app: ApiApp, audit: AuditLog): void {
  app.get(
    "/audit",
    {
      config: { access: "audit.see" },
      schema: {
        summary: "Entries of the audit log, newest first, or those behind `after`, oldest first",
        querystring: ListQuery,
        response: { 200: AuditPage },
      },
    },
    async ({ query }) => {
      const { limit = DEFAULT_LIMIT } = query;
      const entries = audit.list({ ...query, limit });
      const last = entries.at(-1);
      return { entries: [...entries], next: entries.length === limit && last ? last.seq : null };
    },
  );

  app.get(
    "/audit/head",
    {
      config: { access: "audit.see" },
      schema: {
        summary: "Public key of the audit log, how far it reaches, and a signed checkpoint that says so",
        response: { 200: AuditHead },
      },
    },
    async () => {
      const checkpoint = (await audit.checkpoint()) ?? null;
      return {
        publicKey: audit.publicKey,
        keyId: audit.keyId,
        first: audit.first()?.seq ?? null,
        last: audit.head()?.seq ?? null,
        checkpoint,
      };
    },
  );

  app.get(
    "/audit/checkpoints",
    {
      config: { access: "audit.see" },
      schema: {
        summary: "Checkpoints from the file beside the database, oldest first",
        response: { 200: CheckpointList },
      },
    },
    async () => ({ checkpoints: [...audit.checkpoints()] }),
  );

  app.get(
    "/audit/:seq",
    {
      config: { access: "audit.see" },
      schema: { params: Type.Object({ seq: Seq }, closed), response: { 200: AuditEntryResource } },
    },
    async ({ params }) => audit.get(params.seq),
  );
}
