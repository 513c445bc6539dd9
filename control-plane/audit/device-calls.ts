import { DEVICE_API } from "@muster/shared/protocol/device-api";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { RateWindow } from "../ingest/rate-window.ts";
import type { AuditLog } from "./audit-log.ts";
import { type AuditActor, CONTROL_PLANE } from "./entry.ts";
import { problemCodeOf } from "./problem-code.ts";

const REFUSED = new Set([401, 403, 409, 429]);
const REFUSALS_PER_MINUTE = 5;
const REFUSALS_OF_ALL_PER_MINUTE = 60;

/**
 * Puts on record that a device was given its secrets, before they leave, and that somebody was refused at the device
 * listener. What else devices bring about is a change of the database, and on record by that.
 */
export function recordDeviceCalls(
  app: FastifyInstance,
  audit: Pick<AuditLog, "note" | "write">,
  clock: () => number,
): void {
  const ofOne = new RateWindow(REFUSALS_PER_MINUTE);
  const ofAll = new RateWindow(REFUSALS_OF_ALL_PER_MINUTE);
  app.addHook("onSend", async (request, reply, payload) => {
    const path = request.url.split("?", 1)[0] ?? "";
    if (path === DEVICE_API.secrets && reply.statusCode === 200)
      await audit.write({
        actor: CONTROL_PLANE,
        action: "secret.deliver",
        subject: `device/${request.device}`,
        detail: { version: String(reply.getHeader("etag") ?? ""), address: request.ip },
      });
    else if (REFUSED.has(reply.statusCode)) {
      const now = clock();
      if (ofOne.passes(request.device || request.ip, now) && ofAll.passes("", now))
        audit.note({
          actor: callerOf(request),
          action: "device.refuse",
          subject: path,
          detail: { status: reply.statusCode, code: problemCodeOf(reply, payload), address: request.ip },
        });
    }
    return payload;
  });
}

const callerOf = ({ device, ip }: FastifyRequest): AuditActor =>
  device === "" ? { kind: "device", id: "unknown", name: ip } : { kind: "device", id: device, name: device };
