import { connect, type Socket } from "node:net";

/** Where the server listens: a Unix socket. */
export interface LoadPlan {
  readonly socketPath: string;
  /** Whole HTTP requests; each client sends one after the other, over and over. */
  readonly requests: readonly Buffer[];
  readonly clients: number;
  readonly seconds: number;
  /** Requests a second of all clients together; absent: each client sends when it has its answer. */
  readonly perSecond?: number;
  /** Looks at each answer: its status, and its body. */
  readonly inspect?: (request: number, status: number, body: Buffer) => void;
}

export interface Load {
  /** Answers a second with status 200. */
  readonly rate: number;
  readonly answered: number;
  readonly refused: number;
  /** Requests that got no answer because the connection ended. */
  readonly lost: number;
  /** Milliseconds from the first byte sent to the last byte received. */
  readonly latencies: number[];
}

/** Closed-loop clients on raw sockets: they cost little beside the server that they measure. */
export async function load(plan: LoadPlan): Promise<Load> {
  const tally = { answered: 0, refused: 0, lost: 0, latencies: [] as number[] };
  const started = performance.now();
  const end = started + plan.seconds * 1000;
  const { perSecond } = plan;
  const gapMs = perSecond === undefined ? 0 : (1000 * plan.clients) / perSecond;
  await Promise.all(
    Array.from({ length: plan.clients }, async (_, client) => {
      let next = client;
      let due = started + (gapMs * client) / plan.clients;
      let connection: Connection | undefined;
      while (performance.now() < end) {
        if (gapMs > 0) {
          await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
          due += gapMs;
        }
        const request = next % plan.requests.length;
        next += plan.clients;
        const sent = performance.now();
        try {
          connection ??= await Connection.open(plan.socketPath);
          const { status, body, last } = await connection.exchange(plan.requests[request] as Buffer);
          if (last) connection = connection.close();
          plan.inspect?.(request, status, body);
          if (status === 200) tally.answered += 1;
          else tally.refused += 1;
          tally.latencies.push(performance.now() - sent);
        } catch {
          tally.lost += 1;
          connection = connection?.close();
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      }
      connection?.close();
    }),
  );
  return { ...tally, rate: (1000 * tally.answered) / (performance.now() - started) };
}

interface Answer {
  readonly status: number;
  readonly body: Buffer;
  /** The server closes the connection behind it. */
  readonly last: boolean;
}

const HEAD_END = Buffer.from("\r\n\r\n");

/** One keep-alive connection with one request on its way at a time. */
class Connection {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #resolve: ((answer: Answer) => void) | undefined;
  #reject: ((error: Error) => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => this.#take(chunk));
    const ended = () => this.#reject?.(new Error("the connection ended"));
    socket.on("close", ended);
    socket.on("error", ended);
  }

  static open(path: string): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      socket.once("connect", () => resolve(new Connection(socket)));
      socket.once("error", reject);
    });
  }

  exchange(request: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) return reject(new Error("the connection ended"));
      this.#resolve = resolve;
      this.#reject = reject;
      this.#socket.write(request);
    });
  }

  close(): undefined {
    this.#reject = undefined;
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const head = this.#received.indexOf(HEAD_END);
    if (head === -1) return;
    const headers = this.#received.toString("latin1", 0, head).toLowerCase();
    const length = Number(/\r\ncontent-length: (\d+)/.exec(headers)?.[1] ?? 0);
    const total = head + HEAD_END.length + length;
    if (this.#received.length < total) return;
    const body = this.#received.subarray(head + HEAD_END.length, total);
    const status = Number(headers.slice(9, 12));
    this.#received = this.#received.subarray(total);
    this.#resolve?.({ status, body, last: headers.includes("connection: close") });
  }
}
