import { MusterError } from "../errors.ts";
import { digestOf, HASH_SIZE, type HashName } from "./hash.ts";
import { extendPcr, resetPcr } from "./pcr.ts";

/** One line of the ASCII list of the Linux integrity measurement architecture. */
export interface ImaEntry {
  readonly pcr: number;
  /** `ima-ng`, `ima-sig`, `ima-ngv2`, `ima-sigv2` or `ima-buf`. */
  readonly template: string;
  readonly path: string;
  /** Digest of the file, hex, and its hash. */
  readonly file: { readonly hash: string; readonly digest: string };
  /** Signature of the file or the measured buffer, hex; empty without one. */
  readonly extra: string;
  /** The file was open for writing while it was measured, so that its digest says nothing. */
  readonly violation: boolean;
  /** What the template hash is taken over. */
  readonly data: Buffer;
}

/** Most characters of a slice of the list, and of one line. */
const MOST_IMA_CHARS = 16 * 1024 * 1024;
const MOST_LINE_CHARS = 64 * 1024;
const MOST_LINES = 100_000;

/** Templates by whether a field follows the name, and whether the digest says its type. */
const TEMPLATES: Readonly<Record<string, { readonly extra: boolean; readonly typed: boolean }>> = {
  "ima-ng": { extra: false, typed: false },
  "ima-sig": { extra: true, typed: false },
  "ima-buf": { extra: true, typed: false },
  "ima-ngv2": { extra: false, typed: true },
  "ima-sigv2": { extra: true, typed: true },
};

const TEMPLATE_HASHES = new Map<number, HashName>(
  Object.entries(HASH_SIZE).map(([name, size]) => [size * 2, name as HashName]),
);
const LINE =
  /^ ?(\d{1,2}) ([0-9a-f]{40,128}) (ima-[a-z0-9]+) ([a-z0-9:-]{1,40}):((?:[0-9a-f]{2}){16,64}) ([^ ]+)(?: ([0-9a-f]*))?$/;

/**
 * Reads whole lines of `ascii_runtime_measurements`. The hash of each is checked against its content.
 * @throws MusterError `attestation.log-malformed` that names the line
 */
export function parseImaLines(text: string): ImaEntry[] {
  if (text.length > MOST_IMA_CHARS)
    throw malformed(`A list of ${text.length} characters is longer than what is taken.`);
  const lines = text.split("\n", MOST_LINES + 2);
  if (lines.at(-1) === "") lines.pop();
  if (lines.length > MOST_LINES) throw malformed(`A list of more than ${MOST_LINES} lines is not taken.`);
  return lines.map(parseLine);
}

const malformed = (what: string): MusterError => new MusterError("attestation.log-malformed", what);

function parseLine(line: string, index: number): ImaEntry {
  const fail = (what: string): MusterError => malformed(`Line ${index + 1} of the IMA list ${what}.`);
  if (line.length > MOST_LINE_CHARS) throw fail("is too long");
  const [, pcr, templateHash, template, hash, digest, path, extra] = LINE.exec(line) ?? [];
  if (!pcr || !templateHash || !template || !hash || !digest || !path) throw fail("cannot be read");
  const known = Object.hasOwn(TEMPLATES, template) ? TEMPLATES[template] : undefined;
  if (!known) throw fail(`has the template "${template}", which is not known`);
  if (extra !== undefined && !known.extra) throw fail("has a field too many");
  if (known.typed !== hash.includes(":")) throw fail("has a digest of another template");
  if (Number(pcr) > 23) throw fail(`names PCR ${pcr}, which does not exist`);
  const by = TEMPLATE_HASHES.get(templateHash.length);
  if (!by) throw fail("has a hash of no known length");
  const fields = [
    Buffer.concat([Buffer.from(`${hash}:\0`), Buffer.from(digest, "hex")]),
    Buffer.from(`${path}\0`),
    ...(known.extra ? [Buffer.from(extra ?? "", "hex")] : []),
  ];
  if ((extra ?? "").length % 2 !== 0) throw fail("has half a byte");
  const data = Buffer.concat(fields.flatMap((field) => [littleEndian(field.length), field]));
  const violation = /^0+$/.test(templateHash);
  if (!violation && digestOf(by, data).toString("hex") !== templateHash)
    throw fail("does not have the hash that it names");
  return {
    pcr: Number(pcr),
    template,
    path,
    file: { hash: known.typed ? hash.slice(hash.indexOf(":") + 1) : hash, digest },
    extra: extra ?? "",
    violation,
    data,
  };
}

function littleEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** Where a replay stands; JSON can hold it. */
export interface ImaState {
  readonly pcr: number;
  /** Lines so far. */
  readonly count: number;
  readonly values: Readonly<Partial<Record<HashName, string>>>;
}

/** Replays the list of one boot, over as many slices as it takes. */
export class ImaReplay {
  readonly #pcr: number;
  readonly #values: Map<HashName, Buffer>;
  #count: number;

  private constructor(pcr: number, count: number, values: Map<HashName, Buffer>) {
    this.#pcr = pcr;
    this.#count = count;
    this.#values = values;
  }

  /** From the start of a boot. @param pcr where the kernel extends to, 10 by default of the kernel */
  static start(banks: readonly HashName[], pcr = 10): ImaReplay {
    return new ImaReplay(pcr, 0, new Map(banks.map((bank) => [bank, resetPcr(bank, pcr)])));
  }

  static resume(state: ImaState): ImaReplay {
    const values = Object.entries(state.values).map(
      ([bank, value]) => [bank as HashName, Buffer.from(value, "hex")] as const,
    );
    return new ImaReplay(state.pcr, state.count, new Map(values));
  }

  /** Lines so far, whatever PCR they went to. */
  get count(): number {
    return this.#count;
  }

  /** Every bank gets the hash of the template data, a violation ones (Linux 5.8 and newer). */
  extend(entry: ImaEntry): void {
    this.#count += 1;
    if (entry.pcr !== this.#pcr) return;
    for (const [bank, value] of this.#values) {
      const digest = entry.violation ? Buffer.alloc(HASH_SIZE[bank], 0xff) : digestOf(bank, entry.data);
      this.#values.set(bank, extendPcr(bank, value, digest));
    }
  }

  /** Value of the PCR in a bank, hex; undefined for a bank that is not replayed. */
  value(bank: HashName): string | undefined {
    return this.#values.get(bank)?.toString("hex");
  }

  state(): ImaState {
    const values = [...this.#values].map(([bank, value]) => [bank, value.toString("hex")]);
    return { pcr: this.#pcr, count: this.#count, values: Object.fromEntries(values) };
  }
}
