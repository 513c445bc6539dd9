import { asMusterError, MusterError } from "@muster/shared/errors";
import { TPM_ST, TPMA_SESSION } from "@muster/shared/tpm/constants";
import { digestOf } from "@muster/shared/tpm/hash";
import { TpmReader, TpmWriter } from "@muster/shared/tpm/wire";
import { isRefusal, TpmRefusal } from "./refusal.ts";
import { type AuthEntry, AuthSession, type EMPTY_PASSWORD, SESSION_HASH } from "./sessions/session.ts";
import type { Transport } from "./transport/transport.ts";

/** Something in the TPM that a command is about, with the name that its HMAC covers. */
export interface Entity {
  readonly handle: number;
  readonly name: Buffer;
}

export interface Command {
  readonly code: number;
  /** As the specification calls it, for sentences. */
  readonly name: string;
  readonly entities?: readonly Entity[];
  /** One for each entity that has to be authorized, in their order. */
  readonly sessions?: readonly (AuthSession | typeof EMPTY_PASSWORD)[];
  readonly parameters?: Buffer;
  /** The first parameter is a TPM2B with a secret, so the first session hides it: of the command, or of the answer. */
  readonly secret?: "command" | "answer";
  /** The answer begins with the handle of what was made. */
  readonly makesHandle?: boolean;
  /** It makes a key, which takes a discrete TPM up to a minute. */
  readonly isSlow?: boolean;
}

export interface Answer {
  /** 0 where the command makes none. */
  readonly handle: number;
  readonly parameters: TpmReader;
}

/** A thing without a public area is named by its handle (part 1, 16). */
export const entityOf = (handle: number): Entity => ({ handle, name: new TpmWriter().u32(handle).build() });

const SLOW = 6;
const MOST_TRIES = 10;
const FIRST_WAIT_MS = 5;
const HEADER_SIZE = 10;

/** Marshals commands (part 1, 18), takes the answers apart and asks again where the TPM says so. */
export class Channel {
  readonly transport: Transport;
  readonly #timeoutMs: number;
  readonly #pause: (ms: number) => Promise<unknown>;

  /** @param timeoutMs longest wait for an answer; six times as long where a key is made */
  constructor(transport: Transport, timeoutMs: number, pause: (ms: number) => Promise<unknown>) {
    this.transport = transport;
    this.#timeoutMs = timeoutMs;
    this.#pause = pause;
  }

  connect(): Promise<void> {
    return this.transport.connect(this.#timeoutMs);
  }

  /** @throws TpmRefusal, and MusterError `tpm.unavailable`, `tpm.timeout`, `tpm.malformed` */
  async run(command: Command): Promise<Answer> {
    for (let tries = 1, wait = FIRST_WAIT_MS; ; tries++, wait *= 2) {
      try {
        return await this.#runOnce(command);
      } catch (error) {
        const isPassing = isRefusal(error, "RETRY", "YIELDED", "TESTING", "NV_UNAVAILABLE", "NV_RATE");
        if (!isPassing || tries === MOST_TRIES) throw error;
        await this.#pause(wait);
      }
    }
  }

  async #runOnce(command: Command): Promise<Answer> {
    const timeout = command.isSlow ? this.#timeoutMs * SLOW : this.#timeoutMs;
    const bytes = await this.transport.exchange(marshal(command), timeout);
    try {
      return unmarshal(command, bytes);
    } catch (error) {
      throw asMusterError(error, "tpm.malformed");
    }
  }
}

function marshal(command: Command): Buffer {
  const { code, entities = [], sessions = [] } = command;
  let parameters = command.parameters ?? Buffer.alloc(0);
  sessions.forEach((session, position) => {
    if (session instanceof AuthSession) session.begin(position === 0 ? hiding(command) : 0);
  });
  const [first] = sessions;
  if (command.secret && !(first instanceof AuthSession && first.canHide))
    throw new MusterError("internal.unexpected", `${command.name} would show a secret on the bus.`);
  if (command.secret === "command" && first instanceof AuthSession)
    parameters = withFirst(parameters, (data) => first.hide(data));
  const names = entities.map(({ name }) => name);
  const cpHash = digestOf(SESSION_HASH, new TpmWriter().u32(code).build(), ...names, parameters);
  const body = new TpmWriter();
  for (const { handle } of entities) body.u32(handle);
  if (sessions.length > 0) {
    const area = new TpmWriter();
    for (const session of sessions)
      writeAuth(area, session instanceof AuthSession ? session.authorize(cpHash) : session);
    const authorizations = area.build();
    body.u32(authorizations.length).bytes(authorizations);
  }
  const rest = body.bytes(parameters).build();
  const tag = sessions.length > 0 ? TPM_ST.SESSIONS : TPM_ST.NO_SESSIONS;
  const header = new TpmWriter().u16(tag).u32(HEADER_SIZE + rest.length);
  return header.u32(code).bytes(rest).build();
}

function unmarshal(command: Command, bytes: Buffer): Answer {
  const { code, name, sessions = [], secret, makesHandle = false } = command;
  const reader = new TpmReader(bytes, `answer to ${name}`);
  const tag = reader.u16();
  reader.u32();
  const rc = reader.u32();
  if (rc !== 0) throw new TpmRefusal(name, rc);
  if (tag !== (sessions.length > 0 ? TPM_ST.SESSIONS : TPM_ST.NO_SESSIONS))
    throw new MusterError("tpm.malformed", `The answer to ${name} has the tag 0x${tag.toString(16)}.`);
  const handle = makesHandle ? reader.u32() : 0;
  if (sessions.length === 0) return { handle, parameters: reader };
  let parameters = reader.bytes(reader.u32());
  const rpHash = digestOf(SESSION_HASH, new TpmWriter().u32(rc).u32(code).build(), parameters);
  for (const session of sessions) {
    const entry = { nonce: reader.sized(), attributes: reader.u8(), hmac: reader.sized() };
    if (session instanceof AuthSession) session.check(rpHash, entry);
  }
  reader.end();
  const [first] = sessions;
  if (secret === "answer" && first instanceof AuthSession)
    parameters = withFirst(parameters, (data) => first.open(data));
  return { handle, parameters: new TpmReader(parameters, `answer to ${name}`) };
}

const hiding = ({ secret }: Command): number =>
  secret === "command" ? TPMA_SESSION.DECRYPT : secret === "answer" ? TPMA_SESSION.ENCRYPT : 0;

/** The first parameter is a TPM2B; only its data is hidden, not its size. */
function withFirst(parameters: Buffer, change: (data: Buffer) => Buffer): Buffer {
  const reader = new TpmReader(parameters);
  const data = change(reader.sized());
  return new TpmWriter().sized(data).bytes(reader.bytes(reader.remaining)).build();
}

const writeAuth = (area: TpmWriter, { handle, nonce, attributes, hmac }: AuthEntry): TpmWriter =>
  area.u32(handle).sized(nonce).u8(attributes).sized(hmac);
