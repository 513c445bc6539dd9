import { asMusterError, MusterError } from "@muster/shared/errors";
import { decodeExample, type ExampleHeader } from "@muster/shared/protocol/example";
import { EXAMPLE_PART_BYTES, type ExampleReceipt } from "@muster/shared/protocol/example-upload";
import { sha256 } from "@muster/shared/trust/digest";
import { Reach } from "../people/reach.ts";
import type { Stores } from "../storage/database.ts";
import { ExampleFiles } from "./example-files.ts";
import { type ExampleFilter, type ExampleRow, ExampleRows } from "./example-rows.ts";

const MIB = 1024 ** 2;
const DAY_MS = 86_400_000;
/** Devices that send at one moment; others come again. */
const MOST_AT_ONCE = 32;

export interface ExampleSettings {
  /** Largest example, MiB. */
  exampleMib: number;
  /** Most of one device, and of all, MiB. */
  exampleDeviceMib: number;
  exampleTotalMib: number;
  /** Days that examples are kept, from when they were received. */
  exampleDays: number;
}

export interface ExampleParts {
  stores: Stores;
  /** Where the files lie. */
  directory: string;
  settings: ExampleSettings;
  siteOf(device: string): string | undefined;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** One request of a device. */
export interface ExamplePart {
  digest: string;
  /** Bytes of the whole example. */
  size: number;
  offset: number;
  bytes: Uint8Array;
}

/** Hard examples that devices send: within quotas, each once, for some time. */
export class Examples {
  readonly #parts: ExampleParts;
  readonly #rows: ExampleRows;
  readonly #files: ExampleFiles;
  readonly #busy = new Set<string>();

  static async open(parts: ExampleParts): Promise<Examples> {
    const examples = new Examples(parts);
    await examples.#files.open();
    return examples;
  }

  private constructor(parts: ExampleParts) {
    this.#parts = parts;
    this.#rows = new ExampleRows(parts.stores);
    this.#files = new ExampleFiles(parts.directory);
  }

  /**
   * Takes one part of an example; the last one makes it stored.
   * @throws MusterError `example.too-large`, `example.quota`, `example.invalid`, `request.rate-limited` (the device
   *   sends another part just now, or too many devices do), `storage.full`
   */
  async take(device: string, part: ExamplePart): Promise<ExampleReceipt> {
    if (this.#busy.has(device) || this.#busy.size >= MOST_AT_ONCE)
      throw new MusterError("request.rate-limited", "Others send examples just now; come again later.");
    this.#busy.add(device);
    try {
      return await this.#take(device, part);
    } finally {
      this.#busy.delete(device);
    }
  }

  list(filter: ExampleFilter): ExampleRow[] {
    return this.#rows.list(filter);
  }

  /**
   * The digest of the example that begins with these hex digits.
   * @throws MusterError `request.not-found`, or `request.conflict` where several do
   */
  resolve(hex: string, reach: Reach = Reach.everywhere): string {
    const [only, other] = this.#rows.beginningWith(hex);
    if (only === undefined || !reach.covers(this.#rows.find(only)?.site ?? ""))
      throw new MusterError("request.not-found", `There is no example ${hex}.`);
    if (other !== undefined)
      throw new MusterError("request.conflict", `Several examples begin with ${hex}: give more digits.`);
    return only;
  }

  /** @throws MusterError `request.not-found` */
  async get(digest: string): Promise<{ row: ExampleRow; header: ExampleHeader; bytes: Uint8Array }> {
    const row = this.#rows.find(digest);
    if (!row) throw new MusterError("request.not-found", `There is no example ${digest}.`);
    const bytes = await this.#files.read(digest);
    return { row, header: decodeExample(bytes).header, bytes };
  }

  /** @throws MusterError `request.not-found` */
  async delete(digest: string): Promise<void> {
    if (!(await this.#rows.delete(digest)))
      throw new MusterError("request.not-found", `There is no example ${digest}.`);
    await this.#files.remove(digest);
  }

  /** Deletes what was kept for long enough. */
  async prune(): Promise<void> {
    const now = this.#parts.now();
    const before = now - this.#parts.settings.exampleDays * DAY_MS;
    for (let old = this.#rows.old(before); old.length > 0; old = this.#rows.old(before))
      for (const digest of old) {
        await this.#rows.delete(digest);
        await this.#files.remove(digest);
      }
    for (const { device, digest } of this.#files.abandoned(now)) {
      // It goes on just now.
      if (this.#busy.has(device)) continue;
      this.#busy.add(device);
      await this.#files.dropPart(device, digest).finally(() => this.#busy.delete(device));
    }
  }

  async #take(device: string, { digest, size, offset, bytes }: ExamplePart): Promise<ExampleReceipt> {
    if (this.#rows.find(digest)) return { received: size, stored: true };
    this.#requireRoom(device, size);
    if (bytes.byteLength > EXAMPLE_PART_BYTES)
      throw new MusterError("example.invalid", `A part has ${EXAMPLE_PART_BYTES} bytes at most.`);
    await this.#files.dropOthers(device, digest);
    const received = this.#files.received(device, digest);
    if (received === size && received > 0) {
      // All of it came, and storing it failed then.
      await this.#keep(device, digest, size);
      return { received: size, stored: true };
    }
    if (bytes.byteLength === 0 || offset !== received) {
      if (received > size) await this.#files.dropPart(device, digest);
      return { received: received > size ? 0 : received, stored: false };
    }
    if (received + bytes.byteLength > size) {
      await this.#files.dropPart(device, digest);
      throw new MusterError("example.invalid", `More than the ${size} bytes came that were announced.`);
    }
    await this.#files.append(device, digest, bytes, this.#parts.now());
    if (received + bytes.byteLength < size) return { received: received + bytes.byteLength, stored: false };
    await this.#keep(device, digest, size);
    return { received: size, stored: true };
  }

  async #keep(device: string, digest: string, size: number): Promise<void> {
    const bytes = await this.#files.readPart(device, digest);
    let header: ExampleHeader;
    try {
      if (sha256(bytes) !== digest)
        throw new MusterError(
          "example.invalid",
          `What came has digest ${sha256(bytes)}, announced was ${digest}.`,
        );
      header = decodeExample(bytes).header;
    } catch (error) {
      await this.#files.dropPart(device, digest);
      throw asMusterError(error, "example.invalid");
    }
    await this.#files.keep(device, digest);
    const { release, model, variant, at, confidence, label, keep } = header;
    await this.#rows.insert({
      digest,
      device,
      site: this.#parts.siteOf(device) ?? "",
      release,
      model,
      variant,
      at,
      received_at: this.#parts.now(),
      confidence,
      label,
      keep,
      size,
    });
  }

  #requireRoom(device: string, size: number): void {
    const { exampleMib, exampleDeviceMib, exampleTotalMib } = this.#parts.settings;
    if (size > exampleMib * MIB)
      throw new MusterError("example.too-large", `An example may have ${exampleMib} MiB at most.`);
    const full = (bytes: number, mib: number) => bytes + size > mib * MIB;
    if (full(this.#rows.bytes(device), exampleDeviceMib))
      throw new MusterError("example.quota", `Examples of this device have ${exampleDeviceMib} MiB already.`);
    if (full(this.#rows.bytes() + this.#files.receivedOfOthers(device), exampleTotalMib))
      throw new MusterError("example.quota", `Examples have ${exampleTotalMib} MiB already.`);
  }
}
