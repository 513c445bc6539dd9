import type { FastifyInstance, FastifyRequest } from "fastify";
import { RateWindow } from "../ingest/rate-window.ts";
import { actAs } from "./acting.ts";
import type { AuditLog } from "./audit-log.ts";
import type { AuditActor } from "./entry.ts";
import { problemCodeOf } from "./problem-code.ts";

export interface CallRecordSettings {
  /** Refused calls of one address that are put on record within a minute. */
  refusalsPerMinute: number;
  /** Milliseconds since the epoch. */
  clock: () => number;
}

/** Refused calls of all addresses together, in those of one. */
const ADDRESSES = 10;
const CHANGING = new Set(["POST", "PUT", "PATCH", "DELETE"]);
const REFUSED = new Set([401, 403, 409, 429]);

/**
 * Puts every call that may change something on record before it is answered, and every one that was refused; what is
 * changed in its course is told as done by its operator. No body is kept, only its keyed digest.
 */
export function recordCalls(app: FastifyInstance, audit: AuditLog, settings: CallRecordSettings): void {
  const { refusalsPerMinute, clock } = settings;
  const ofOne = new RateWindow(refusalsPerMinute);
  const ofAll = new RateWindow(refusalsPerMinute * ADDRESSES);
  const recorded = new WeakSet<FastifyRequest>();
  let leftOut = 0;

  app.addHook("preHandler", (request, _reply, done) => {
    if (request.operator) actAs(actorOf(request), done);
    else done();
  });

  app.addHook("onSend", async (request, reply, payload) => {
    const refused = REFUSED.has(reply.statusCode);
    if (recorded.has(request) || !(refused || CHANGING.has(request.method))) return payload;
    recorded.add(request);
    const done = reply.statusCode < 400;
    if (!done) {
      const now = clock();
      // Those that anybody can make without a token must not fill the disk.
      if (!ofOne.passes(request.operator?.id ?? request.ip, now) || !ofAll.passes("", now)) {
        leftOut += 1;
        return payload;
      }
    }
    const detail = {
      outcome: done ? "done" : refused ? "refused" : "failed",
      status: reply.statusCode,
      ...(done ? {} : { code: problemCodeOf(reply, payload) }),
      address: request.ip,
      ...(CHANGING.has(request.method) ? { query: queryOf(request), body: bodyOf(request, audit) } : {}),
      ...(leftOut > 0 ? { leftOut } : {}),
    };
    leftOut = 0;
    const event = {
      actor: actorOf(request),
      action: `api.${request.method.toLowerCase()}`,
      subject: pathOf(request),
      detail,
    };
    // A change that could not be put on record is not reported as done; a refusal stays one.
    if (done) await audit.write(event);
    else audit.note(event);
    return payload;
  });
}

const actorOf = ({ operator, ip }: FastifyRequest): AuditActor =>
  operator
    ? { kind: "operator", id: operator.id, name: operator.name }
    : { kind: "operator", id: "unknown", name: ip };

const pathOf = ({ url }: FastifyRequest): string => url.split("?", 1)[0] ?? "";
const queryOf = ({ url }: FastifyRequest): string | undefined => url.split("?")[1];

const bodyOf = ({ body }: FastifyRequest, audit: AuditLog): string | undefined =>
  typeof body === "object" && body !== null && Object.getPrototypeOf(body) === Object.prototype
    ? audit.digestOfBody(JSON.stringify(body))
    : undefined;
