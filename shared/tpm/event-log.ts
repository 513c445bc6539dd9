import { MusterError } from "../errors.ts";
import { describeEvent } from "./event-description.ts";
import { EV, eventTypeName } from "./event-types.ts";
import { HASH_SIZE, type HashName, hashNameOf } from "./hash.ts";
import { LogReader } from "./log-reader.ts";
import { extendPcr } from "./pcr.ts";

/** Most bytes of a boot log; those of machines with many keys and drivers have 300 KiB. */
export const MOST_BOOT_LOG_BYTES = 2 * 1024 * 1024;
const MOST_EVENTS = 4096;
const MOST_BANKS = 8;
const MOST_DIGEST_BYTES = 64;
const LAST_PCR = 23;
/** Index that firmware gives to events that go nowhere. */
const NO_PCR = 0xffffffff;

const SPEC_ID = Buffer.from("Spec ID Event03\0");
const STARTUP_LOCALITY = Buffer.from("StartupLocality\0");

/** One measurement of the firmware or of a boot loader (TCG_PCR_EVENT2). */
export class BootEvent {
  /** Index of the PCR; -1 for what belongs to none. */
  readonly pcr: number;
  readonly type: number;
  /** Hex digest by bank. */
  readonly digests: Readonly<Partial<Record<HashName, string>>>;
  /** What the firmware says about it. It is not always what was measured, so that only the digest counts. */
  readonly data: Buffer;

  constructor(pcr: number, type: number, digests: Partial<Record<HashName, string>>, data: Buffer) {
    this.pcr = pcr;
    this.type = type;
    this.digests = digests;
    this.data = data;
  }

  get typeName(): string {
    return eventTypeName(this.type);
  }

  /** In plain words, from `data`. */
  get description(): string {
    return describeEvent(this.pcr, this.type, this.data);
  }
}

export interface EventLog {
  readonly events: readonly BootEvent[];
  readonly banks: readonly HashName[];
  /** Locality that the TPM was started from: the value that PCR 0 began with. */
  readonly startupLocality: number;
}

interface Bank {
  readonly id: number;
  /** Undefined for an algorithm that is only skipped. */
  readonly name: HashName | undefined;
  readonly size: number;
}

const malformed = (what: string): MusterError => new MusterError("attestation.log-malformed", what);

/**
 * Reads a boot log as Linux gives it in `binary_bios_measurements`: the crypto-agile format (PC client platform
 * firmware profile, 10) or the one with SHA-1 alone. Padding with zeros or ones behind the last event is left out.
 * @throws MusterError `attestation.log-malformed`
 */
export function parseEventLog(bytes: Uint8Array): EventLog {
  if (bytes.length === 0) throw malformed("The boot log is empty.");
  if (bytes.length > MOST_BOOT_LOG_BYTES)
    throw malformed(`A boot log of ${bytes.length} bytes is larger than what is taken.`);
  const reader = new LogReader(bytes);
  const first = readSha1Event(reader);
  const agile = first.type === EV.NO_ACTION && first.data.subarray(0, SPEC_ID.length).equals(SPEC_ID);
  const banks = agile ? readSpecId(first.data) : [];
  const events = [first];
  // Looked up once: a log of zeros that are no padding would be searched through with every event.
  const end = Math.min(reader.paddingFrom(0), reader.paddingFrom(0xff));
  while (reader.offset < end) {
    if (events.length >= MOST_EVENTS)
      throw malformed(`A boot log of more than ${MOST_EVENTS} events is not taken.`);
    events.push(agile ? readEvent(reader, banks) : readSha1Event(reader));
  }
  const names = banks.flatMap(({ name }) => name ?? []);
  return { events, banks: agile ? names : ["sha1"], startupLocality: startupLocality(events) };
}

function readSha1Event(reader: LogReader): BootEvent {
  const pcr = reader.u32();
  const type = reader.u32();
  const digest = reader.bytes(HASH_SIZE.sha1);
  return eventOf(pcr, type, { sha1: digest.toString("hex") }, reader.bytes(reader.u32()));
}

function readEvent(reader: LogReader, banks: readonly Bank[]): BootEvent {
  const at = reader.offset;
  const pcr = reader.u32();
  const type = reader.u32();
  const count = reader.u32();
  if (count > banks.length)
    throw malformed(`The event at ${at} has ${count} digests, more than there are banks.`);
  const digests: Partial<Record<HashName, string>> = {};
  const seen = new Set<number>();
  for (let i = 0; i < count; i++) {
    const id = reader.u16();
    const bank = banks.find((known) => known.id === id);
    if (!bank || seen.has(id)) throw malformed(`The event at ${at} has a digest of an unexpected algorithm.`);
    seen.add(id);
    const digest = reader.bytes(bank.size);
    if (bank.name) digests[bank.name] = digest.toString("hex");
  }
  return eventOf(pcr, type, digests, reader.bytes(reader.u32()));
}

function eventOf(pcr: number, type: number, digests: BootEvent["digests"], data: Buffer): BootEvent {
  if (pcr > LAST_PCR && !(pcr === NO_PCR && type === EV.NO_ACTION))
    throw malformed(`An event names PCR ${pcr}, which does not exist.`);
  return new BootEvent(pcr === NO_PCR ? -1 : pcr, type, digests, data);
}

/** TCG_EfiSpecIDEvent: which algorithms the log has, and how long their digests are. */
function readSpecId(data: Buffer): Bank[] {
  const reader = new LogReader(data);
  reader.bytes(SPEC_ID.length + 4 + 4);
  const count = reader.u32();
  if (count === 0 || count > MOST_BANKS) throw malformed(`A boot log of ${count} banks is not taken.`);
  const banks: Bank[] = [];
  for (let i = 0; i < count; i++) {
    const id = reader.u16();
    const size = reader.u16();
    const name = hashNameOf(id);
    if (size === 0 || size > MOST_DIGEST_BYTES || (name && HASH_SIZE[name] !== size))
      throw malformed(`The boot log names an algorithm with digests of ${size} bytes.`);
    if (banks.some((earlier) => earlier.id === id)) throw malformed("The boot log names an algorithm twice.");
    banks.push({ id, name, size });
  }
  return banks;
}

function startupLocality(events: readonly BootEvent[]): number {
  for (const { type, pcr, data } of events)
    if (type === EV.NO_ACTION && pcr === 0 && data.length === STARTUP_LOCALITY.length + 1)
      if (data.subarray(0, STARTUP_LOCALITY.length).equals(STARTUP_LOCALITY)) return data.at(-1) ?? 0;
  return 0;
}

/**
 * Values, hex, of the PCRs that the log has events of. PCRs 17 to 22 begin with zeros, because a dynamic launch clears
 * them before anything can extend them.
 * @throws MusterError `attestation.log-malformed` where the log lacks the bank, or an event a digest of it
 */
export function replay(log: EventLog, bank: HashName): Map<number, string> {
  if (!log.banks.includes(bank)) throw malformed(`The boot log has no digests of the bank ${bank}.`);
  const values = new Map<number, Buffer>();
  for (const [index, { pcr, type, digests }] of log.events.entries()) {
    if (type === EV.NO_ACTION) continue;
    const digest = digests[bank];
    if (digest === undefined) throw malformed(`Event ${index} of the boot log has no ${bank} digest.`);
    const value = values.get(pcr) ?? initial(bank, pcr, log.startupLocality);
    values.set(pcr, extendPcr(bank, value, Buffer.from(digest, "hex")));
  }
  return new Map([...values].map(([pcr, value]) => [pcr, value.toString("hex")]));
}

function initial(bank: HashName, pcr: number, locality: number): Buffer {
  const value = Buffer.alloc(HASH_SIZE[bank]);
  if (pcr === 0) value[value.length - 1] = locality;
  return value;
}
