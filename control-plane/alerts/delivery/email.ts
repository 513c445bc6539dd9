import { Socket } from "node:net";
import { createTransport } from "nodemailer";
import type { EmailTarget } from "../receiver.ts";
import { type Attempt, excerpt } from "./attempt.ts";

interface EmailCall {
  target: EmailTarget;
  password: string | null;
  id: string;
  subject: string;
  text: string;
  /** Ends the attempt from outside. */
  signal: AbortSignal;
}

/** Codes of nodemailer for sender, recipients and content; TLS and passwords can be mended meanwhile. */
const ABOUT_THE_MAIL: ReadonlySet<string> = new Set(["EENVELOPE", "EMESSAGE"]);

/** What nodemailer attaches to its errors. */
interface SmtpError extends Error {
  code?: string;
  /** The server refused this very message for good. */
  permanent?: boolean;
}

/**
 * Hands one plain text mail to the SMTP server. The Message-ID is made of the notification's id, so that a mail
 * that is sent twice can be recognised. Only what the server refuses of the mail itself is final.
 */
export async function sendEmail({
  target,
  password,
  id,
  subject,
  text,
  signal,
}: EmailCall): Promise<Attempt> {
  // The socket is ours, so that an attempt that must end does end.
  const socket = new Socket();
  const deadline = AbortSignal.timeout(target.timeoutMs);
  const ends = AbortSignal.any([deadline, signal]);
  const stop = () => socket.destroy(new Error("called off"));
  ends.addEventListener("abort", stop, { once: true });
  const transport = createTransport({
    host: target.host,
    port: target.port,
    socket,
    secure: target.tls === "implicit",
    requireTLS: target.tls === "starttls",
    ignoreTLS: target.tls === "none",
    ...(target.user !== null && password !== null ? { auth: { user: target.user, pass: password } } : {}),
    tls: { ...(target.ca === null ? {} : { ca: target.ca }) },
    connectionTimeout: target.timeoutMs,
    greetingTimeout: target.timeoutMs,
    socketTimeout: target.timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    if (signal.aborted) return { outcome: "failed", error: "It was called off." };
    const { rejected } = await transport.sendMail({
      from: target.from,
      to: target.to,
      subject,
      text,
      messageId: `<${id}@${target.from.slice(target.from.indexOf("@") + 1)}>`,
      headers: { "auto-submitted": "auto-generated", "x-muster-notification": id },
    });
    const refused = rejected.map(String);
    return {
      outcome: "delivered",
      note: refused.length > 0 ? `Not taken for ${excerpt(refused.join(", "))}.` : null,
    };
  } catch (cause) {
    const { message, permanent, code } = cause as SmtpError;
    if (deadline.aborted)
      return { outcome: "failed", error: `It did not take the mail within ${target.timeoutMs} ms.` };
    const error = `${excerpt(message)}.`;
    return permanent === true && ABOUT_THE_MAIL.has(code ?? "")
      ? { outcome: "refused", error }
      : { outcome: "failed", error };
  } finally {
    ends.removeEventListener("abort", stop);
    transport.close();
    socket.destroy();
  }
}
