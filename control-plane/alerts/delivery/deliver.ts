import type { Receiver } from "../receiver.ts";
import type { Attempt } from "./attempt.ts";
import { sendEmail } from "./email.ts";
import { mailOf, type Notification } from "./notification.ts";
import { postWebhook } from "./webhook.ts";

/** Delivers one notification once, the way its receiver wants. Never rejects. */
export async function deliver(
  { target }: Receiver,
  secret: string | null,
  id: string,
  body: string,
  now: number,
  signal: AbortSignal,
): Promise<Attempt> {
  try {
    if (target.kind === "webhook")
      return await postWebhook({ target, secret: secret ?? "", id, body, now, signal });
    const mail = mailOf(JSON.parse(body) as Notification);
    return await sendEmail({ target, password: secret, id, ...mail, signal });
  } catch (cause) {
    return { outcome: "failed", error: cause instanceof Error ? cause.message : String(cause) };
  }
}
