import { connect, type Socket } from "node:net";
import { FrameReader, frameParts } from "./frames.ts";
import type { ShadowAnswer, ShadowQuestion } from "./words.ts";

type Answered = (answer: ShadowAnswer | undefined) => void;

/** The line from the live runner to one candidate runner. */
export class Candidate {
  readonly #path: string;
  readonly #waiting = new Map<number, Answered>();
  #socket: Socket | undefined;
  #id = 0;

  /** @param path the candidate's Unix socket */
  constructor(path: string) {
    this.#path = path;
  }

  /** Questions without an answer. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** True while the last question is not with the kernel yet: the candidate reads slower than it is asked. */
  get isCongested(): boolean {
    return (this.#socket?.writableLength ?? 0) > 0;
  }

  /** @param answered called once; with undefined where the line broke */
  ask(question: Omit<ShadowQuestion, "id">, data: readonly Uint8Array[], answered: Answered): void {
    const id = ++this.#id;
    this.#waiting.set(id, answered);
    const socket = this.#connected();
    socket.cork();
    for (const part of frameParts({ id, ...question }, data)) socket.write(part);
    socket.uncork();
  }

  close(): void {
    this.#socket?.destroy();
  }

  #connected(): Socket {
    if (this.#socket) return this.#socket;
    const socket = connect(this.#path);
    socket.unref();
    const reader = new FrameReader(0);
    socket.on("data", (chunk) => {
      try {
        for (const { head } of reader.push(chunk)) this.#take(head as ShadowAnswer);
      } catch {
        socket.destroy();
      }
    });
    // The close event follows.
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#lost());
    this.#socket = socket;
    return socket;
  }

  #take(answer: ShadowAnswer): void {
    const answered = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    answered?.(answer);
  }

  #lost(): void {
    this.#socket = undefined;
    const lost = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const answered of lost) answered(undefined);
  }
}
