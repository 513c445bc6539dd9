import { createHmac } from "node:crypto";

export const SIGNATURE_HEADER = "muster-signature";
export const NOTIFICATION_HEADER = "muster-notification";

/**
 * `t=<seconds since the epoch>,v1=<hex>`: HMAC-SHA256 over `<seconds>.<body>`. The time is signed with it, so that
 * a receiver can refuse what somebody recorded and sends again.
 */
export function signatureOf(secret: string, body: string, now: number): string {
  const seconds = Math.floor(now / 1000);
  return `t=${seconds},v1=${createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex")}`;
}
