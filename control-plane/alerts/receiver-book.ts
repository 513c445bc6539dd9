import { randomBytes } from "node:crypto";
import { MusterError } from "@muster/shared/errors";
import type { Kysely } from "kysely";
import type { ControlTables } from "../storage/tables/index.ts";
import { inTransaction } from "../storage/transaction.ts";
import { completeReceiver, type Receiver, type ReceiverInput, secretOf } from "./receiver.ts";

const MAX_RECEIVERS = 50;

interface Entry {
  receiver: Receiver;
  secret: string | null;
  changed: { at: number; by: string };
}

/** Receivers and their secrets. A secret goes out of here to a delivery, and in the answer that made it. */
export class ReceiverBook {
  readonly #db: Kysely<ControlTables>;
  readonly #clock: () => number;
  readonly #entries = new Map<string, Entry>();

  private constructor(db: Kysely<ControlTables>, clock: () => number) {
    this.#db = db;
    this.#clock = clock;
  }

  static async load(db: Kysely<ControlTables>, clock: () => number): Promise<ReceiverBook> {
    const book = new ReceiverBook(db, clock);
    for (const row of await db.selectFrom("alert_receivers").selectAll().execute())
      book.#entries.set(row.name, {
        receiver: JSON.parse(row.receiver) as Receiver,
        secret: row.secret,
        changed: { at: row.changed_at, by: row.changed_by },
      });
    return book;
  }

  /** By name. */
  list(): Receiver[] {
    return [...this.#entries.values()]
      .map(({ receiver }) => receiver)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  find(name: string): Receiver | undefined {
    return this.#entries.get(name)?.receiver;
  }

  /** @throws MusterError `request.not-found` */
  get(name: string): Receiver {
    const receiver = this.find(name);
    if (!receiver) throw new MusterError("request.not-found", `There is no alert receiver ${name}.`);
    return receiver;
  }

  secretOf(name: string): string | null {
    return this.#entries.get(name)?.secret ?? null;
  }

  changedOf(name: string): { at: number; by: string } | undefined {
    return this.#entries.get(name)?.changed;
  }

  /**
   * Writes a receiver whole. A secret that is left out stays as it was while the kind does; a webhook without any
   * gets a new one.
   * @returns the receiver, and the secret where one was made: it is not told again
   * @throws MusterError `alert.receiver-invalid`, `selector.invalid`, or `request.conflict` for too many
   */
  async set(
    name: string,
    input: ReceiverInput,
    by: string,
  ): Promise<{ receiver: Receiver; madeSecret: string | null }> {
    const receiver = completeReceiver(name, input);
    const former = this.#entries.get(name);
    if (!former && this.#entries.size >= MAX_RECEIVERS)
      throw new MusterError("request.conflict", `There are ${MAX_RECEIVERS} alert receivers already.`);
    const given =
      secretOf(input) ?? (former && isSameServer(former.receiver, receiver) ? former.secret : null);
    const made =
      given === null && receiver.target.kind === "webhook" ? randomBytes(32).toString("base64url") : null;
    const secret = given ?? made;
    if (receiver.target.kind === "email" && receiver.target.user !== null && secret === null)
      throw new MusterError("alert.receiver-invalid", `${name}: a user needs a password.`);
    const at = this.#clock();
    const row = { receiver: JSON.stringify(receiver), secret, changed_at: at, changed_by: by };
    await this.#db
      .insertInto("alert_receivers")
      .values({ name, ...row })
      .onConflict((conflict) => conflict.column("name").doUpdateSet(row))
      .execute();
    this.#entries.set(name, { receiver, secret, changed: { at, by } });
    return { receiver, madeSecret: made };
  }

  /** Removes a receiver and what waits for it. @throws MusterError `request.not-found` */
  async remove(name: string): Promise<void> {
    this.get(name);
    await inTransaction(this.#db, async (tx) => {
      await tx.deleteFrom("alert_receivers").where("name", "=", name).execute();
      await tx.deleteFrom("alert_told").where("receiver", "=", name).execute();
      await tx.deleteFrom("alert_notifications").where("receiver", "=", name).execute();
    });
    this.#entries.delete(name);
  }
}

/** A secret is not handed to another server because somebody changed the address and left the secret out. */
function isSameServer({ target: a }: Receiver, { target: b }: Receiver): boolean {
  if (a.kind === "webhook" && b.kind === "webhook") return new URL(a.url).origin === new URL(b.url).origin;
  return (
    a.kind === "email" && b.kind === "email" && a.host === b.host && a.user === b.user && b.tls !== "none"
  );
}
