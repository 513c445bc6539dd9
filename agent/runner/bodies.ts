import type { IncomingMessage } from "node:http";
import { MusterError } from "@muster/shared/errors";

/** A body beyond the limit is read to its end up to this many times the limit, so that the answer arrives. */
const DISCARD_FACTOR = 4;

/** Tensors are views of bodies where the data begins at a multiple of this many bytes. */
const ALIGNMENT = 8;

/** Reads bodies within a limit for each and one for all that are held at a time, bytes. */
export class BodyReader {
  /** Largest body, bytes. */
  readonly limit: number;
  readonly #totalLimit: number;
  #held = 0;
  #made = 0;

  constructor(limit: number, totalLimit: number) {
    this.limit = limit;
    this.#totalLimit = totalLimit;
  }

  /**
   * A body that came another way counts as held until its work is done.
   * @throws MusterError `inference.overloaded`, or what `work` throws
   */
  async hold<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    if (this.#held + bytes > this.#totalLimit) throw tooMuch();
    this.#held += bytes;
    try {
      return await work();
    } finally {
      this.#held -= bytes;
    }
  }

  /**
   * What was made of a body counts until its work is done, beside the bodies and within the same limit: small pictures
   * make large tensors. One alone is let through whatever its size.
   * @throws MusterError `inference.overloaded`, or what `work` throws
   */
  async holdMade<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    if (this.#made > 0 && this.#made + bytes > this.#totalLimit) throw tooMuch();
    this.#made += bytes;
    try {
      return await work();
    } finally {
      this.#made -= bytes;
    }
  }

  /**
   * Gives the whole body to `work`; it counts as held until that is done.
   * @param alignAt offset in the body that is to lie on an aligned address where that costs nothing
   * @throws MusterError `request.too-large`, `inference.overloaded` when too much is held, `request.invalid` when the
   *   connection ends before the body, or what `work` throws
   */
  use<T>(request: IncomingMessage, work: (body: Buffer) => T | Promise<T>, alignAt = 0): Promise<T> {
    const declared = Number(request.headers["content-length"] ?? Number.NaN);
    const discardable = this.limit * (1 + DISCARD_FACTOR);
    if (declared > discardable) return Promise.reject(this.#tooLarge());
    return new Promise((resolve, reject) => {
      const body = new GrowingBody(declared <= this.limit ? declared : undefined, alignAt);
      let received = 0;
      let held = 0;
      let done = false;
      const release = () => {
        this.#held -= held;
        held = 0;
      };
      const fail = (error: unknown) => {
        done = true;
        release();
        reject(error);
      };
      const finish = () => {
        done = true;
        try {
          const result = work(body.take());
          const settle = (value: T) => {
            release();
            resolve(value);
          };
          if (result instanceof Promise) result.then(settle, fail);
          else settle(result);
        } catch (error) {
          fail(error);
        }
      };
      request.on("data", (chunk: Buffer) => {
        if (done) return;
        received += chunk.byteLength;
        if (received > discardable) return fail(this.#tooLarge());
        if (received > this.limit || declared > this.limit) return body.forget();
        held += chunk.byteLength;
        this.#held += chunk.byteLength;
        if (this.#held > this.#totalLimit) return fail(tooMuch());
        body.add(chunk);
        if (received === declared) finish();
      });
      request.on("end", () => {
        if (done) return;
        if (received > this.limit) fail(this.#tooLarge());
        else finish();
      });
      request.on("close", () => {
        if (!done) fail(new MusterError("request.invalid", "The connection ended before the body."));
      });
    });
  }

  #tooLarge(): MusterError {
    return new MusterError("request.too-large", `The body is larger than ${this.limit} bytes.`);
  }
}

const tooMuch = () =>
  new MusterError("inference.overloaded", "The requests at work have too large bodies together.");

/** Chunks that become one buffer: copied once when the length is known, not at all when there is only one. */
class GrowingBody {
  readonly #declared: number | undefined;
  readonly #alignAt: number;
  #first: Buffer | undefined;
  #rest: Buffer[] = [];
  #whole: Buffer | undefined;
  #length = 0;

  constructor(declared: number | undefined, alignAt: number) {
    this.#declared = declared;
    this.#alignAt = alignAt;
  }

  add(chunk: Buffer): void {
    if (this.#length === 0) {
      this.#first = chunk;
    } else if (this.#declared === undefined) {
      this.#rest.push(chunk);
    } else {
      this.#whole ??= this.#allocate(this.#declared);
      chunk.copy(this.#whole, this.#length);
    }
    this.#length += chunk.byteLength;
  }

  /** Nobody will take it. */
  forget(): void {
    this.#first = undefined;
    this.#rest = [];
    this.#whole = undefined;
  }

  take(): Buffer {
    if (this.#whole) return this.#whole;
    if (!this.#first) return Buffer.alloc(0);
    return this.#rest.length === 0 ? this.#first : Buffer.concat([this.#first, ...this.#rest], this.#length);
  }

  #allocate(length: number): Buffer {
    const shift = (ALIGNMENT - (this.#alignAt % ALIGNMENT)) % ALIGNMENT;
    const whole = Buffer.allocUnsafeSlow(length + shift).subarray(shift);
    this.#first!.copy(whole, 0);
    return whole;
  }
}
