import type { AddressInfo } from "node:net";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";

export interface Mail {
  from: string;
  to: string[];
  text: string;
  secure: boolean;
  user: string | null;
}

/** A real SMTP server that keeps what it is sent. */
export class MailServer {
  readonly mails: Mail[] = [];
  /** Passwords that were offered, right or wrong. */
  readonly offered: string[] = [];
  refuse: { code: number; message: string } | undefined;
  readonly #server: SMTPServer;
  #port = 0;

  constructor(options: SMTPServerOptions = {}, password?: string) {
    this.#server = new SMTPServer({
      authOptional: password === undefined,
      ...options,
      logger: false,
      onAuth: (auth, _session, done) => {
        this.offered.push(auth.password ?? "");
        if (auth.password === password) done(null, { user: auth.username ?? "" });
        else done(Object.assign(new Error("wrong password"), { responseCode: 535 }));
      },
      onData: (stream, session, done) => {
        const parts: Buffer[] = [];
        stream.on("data", (part: Buffer) => parts.push(part));
        stream.on("end", () => {
          if (this.refuse) {
            done(Object.assign(new Error(this.refuse.message), { responseCode: this.refuse.code }));
            return;
          }
          const { mailFrom, rcptTo } = session.envelope;
          this.mails.push({
            from: mailFrom === false ? "" : mailFrom.address,
            to: rcptTo.map(({ address }) => address),
            text: Buffer.concat(parts).toString("utf8"),
            secure: session.secure,
            user: session.user === undefined ? null : String(session.user),
          });
          done();
        });
      },
    });
    // A client that leaves in the middle of a handshake is what some tests are about.
    this.#server.on("error", () => {});
  }

  get port(): number {
    return this.#port;
  }

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(this.#port, "127.0.0.1", () => resolve()));
    this.#port = (this.#server.server.address() as AddressInfo).port;
    return this;
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
