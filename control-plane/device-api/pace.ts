import { MusterError } from "@muster/shared/errors";
import { DEVICE_API } from "@muster/shared/protocol/device-api";
import type { FastifyInstance, FastifyRequest } from "fastify";

/** Each of these leaves a line in the audit log: a device that was taken over must not fill the disk with them. */
const RECORDED: readonly string[] = [DEVICE_API.renew, DEVICE_API.keys, DEVICE_API.secrets];
const PER_MINUTE = 30;

/** Grants each device only so many certificates, leases and deliveries within a minute. Refusals do not count. */
export function paceRecordedCalls(app: FastifyInstance, now: () => number): void {
  let minute = 0;
  const granted = new Map<string, number>();
  const keyOf = ({ url, device }: FastifyRequest): string | undefined => {
    const path = url.split("?", 1)[0] ?? "";
    return RECORDED.includes(path) ? `${device} ${path}` : undefined;
  };
  app.addHook("onRequest", async (request) => {
    const key = keyOf(request);
    if (key === undefined) return;
    const current = Math.floor(now() / 60_000);
    if (current !== minute) granted.clear();
    minute = current;
    if ((granted.get(key) ?? 0) < PER_MINUTE) return;
    throw new MusterError("request.rate-limited", "This device asked for this too often within a minute.");
  });
  app.addHook("onResponse", async (request, reply) => {
    const key = keyOf(request);
    if (key !== undefined && reply.statusCode === 200) granted.set(key, (granted.get(key) ?? 0) + 1);
  });
}
