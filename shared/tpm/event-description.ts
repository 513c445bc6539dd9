import { imageFile, loadOptionName, plain, readVariable, textOf } from "./efi.ts";
import { EV } from "./event-types.ts";
import { LogReader } from "./log-reader.ts";

const KEY_LISTS: Readonly<Record<string, string>> = {
  PK: "platform key of Secure Boot (PK)",
  KEK: "keys that may change the lists of Secure Boot (KEK)",
  db: "list of what Secure Boot allows (db)",
  dbx: "list of what Secure Boot forbids (dbx)",
  dbt: "time stamp keys of Secure Boot (dbt)",
  dbr: "recovery keys of Secure Boot (dbr)",
};

/** Tags of EV_EVENT_TAG that the Linux kernel writes. */
const TAGS = new Map([
  [0x8f3b22ec, "initial ram disk"],
  [0x8f3b22ed, "options of the kernel"],
]);

const FIXED = new Map<number, string>([
  [EV.S_CRTM_CONTENTS, "first code of the firmware"],
  [EV.PLATFORM_CONFIG_FLAGS, "settings of the firmware"],
  [EV.TABLE_OF_DEVICES, "table of devices"],
  [EV.IPL_PARTITION_DATA, "partition of the boot loader"],
  [EV.OMIT_BOOT_DEVICE_EVENTS, "the firmware leaves out events of boot devices"],
  [EV.CPU_MICROCODE, "microcode of the processor"],
  [EV.NONHOST_CODE, "code of another processor of the board"],
  [EV.NONHOST_CONFIG, "settings of another processor of the board"],
  [EV.NONHOST_INFO, "facts about another processor of the board"],
  [EV.EFI_HANDOFF_TABLES, "tables that describe the hardware"],
  [EV.EFI_HCRTM_EVENT, "start of the hardware before the firmware"],
  [EV.EFI_SPDM_FIRMWARE_BLOB, "firmware of a device"],
  [EV.EFI_SPDM_FIRMWARE_CONFIG, "settings of the firmware of a device"],
  [EV.EFI_SPDM_DEVICE_POLICY, "keys that may vouch for devices"],
  [EV.EFI_SPDM_DEVICE_AUTHORITY, "key that vouches for a device"],
]);

const named = (what: string, name: string): string => (name === "" ? what : `${what} ${name}`);
const quoted = (what: string, name: string): string => (name === "" ? what : `${what} "${name}"`);

/** What an event measured, in words that an operator reads. What cannot be read is told by its kind alone. */
export function describeEvent(pcr: number, type: number, data: Buffer): string {
  try {
    return describe(pcr, type, data);
  } catch {
    // Firmware writes data of its own form here and there; the digest counts, not the words.
    return `${FALLBACKS.get(type) ?? "event"} that cannot be read`;
  }
}

const FALLBACKS = new Map<number, string>([
  [EV.EFI_VARIABLE_DRIVER_CONFIG, "firmware variable"],
  [EV.EFI_VARIABLE_BOOT, "boot setting"],
  [EV.EFI_VARIABLE_BOOT2, "boot setting"],
  [EV.EFI_VARIABLE_AUTHORITY, "entry that allowed a program"],
  [EV.EFI_BOOT_SERVICES_APPLICATION, "boot program"],
  [EV.EFI_GPT_EVENT, "partition table"],
]);

function describe(pcr: number, type: number, data: Buffer): string {
  switch (type) {
    case EV.EFI_VARIABLE_DRIVER_CONFIG:
      return driverVariable(data);
    case EV.EFI_VARIABLE_BOOT:
    case EV.EFI_VARIABLE_BOOT2:
      return bootVariable(data);
    case EV.EFI_VARIABLE_AUTHORITY:
      return authority(readVariable(data).name);
    case EV.EFI_BOOT_SERVICES_APPLICATION:
      return named("boot program", imageFile(data));
    case EV.EFI_BOOT_SERVICES_DRIVER:
    case EV.EFI_RUNTIME_SERVICES_DRIVER:
      return named("driver of the firmware", imageFile(data));
    case EV.EFI_GPT_EVENT:
    case EV.EFI_GPT_EVENT2:
      return partitionTable(data);
    case EV.EFI_PLATFORM_FIRMWARE_BLOB:
    case EV.EFI_PLATFORM_FIRMWARE_BLOB2:
      return quoted("part of the firmware", blobName(type, data));
    case EV.EFI_HANDOFF_TABLES2:
      return quoted("tables that describe the hardware", lengthPrefixed(data));
    case EV.S_CRTM_VERSION:
      return named("version of the firmware", textOf(data) || data.subarray(0, 16).toString("hex"));
    case EV.POST_CODE:
    case EV.POST_CODE2:
      return quoted("code of the firmware", postCode(data));
    case EV.SEPARATOR:
      return separator(data);
    case EV.ACTION:
    case EV.EFI_ACTION:
      return quoted("step of the boot", textOf(data));
    case EV.COMPACT_HASH:
      return quoted("measurement of a boot loader", textOf(data));
    case EV.EVENT_TAG:
      return TAGS.get(new LogReader(data).u32()) ?? "tagged measurement of the operating system";
    case EV.IPL:
      return bootLoader(pcr, textOf(data));
    case EV.NO_ACTION:
      return note(data);
    default:
      return FIXED.get(type) ?? `event of type 0x${type.toString(16)}`;
  }
}

/** Names of what shim keeps: it measures them as the firmware measures the keys that it used. */
const OF_SHIM = /^(Mok(List|ListX|SBState|ListTrusted)|SbatLevel)/;

const authority = (name: string): string =>
  OF_SHIM.test(name) ? `keys and settings of the boot loader (${name})` : `a program was allowed by ${name}`;

function driverVariable(data: Buffer): string {
  const { name, content } = readVariable(data);
  if (name === "SecureBoot")
    return `Secure Boot is ${content.length === 1 && content[0] === 1 ? "on" : "off"}`;
  const list = Object.hasOwn(KEY_LISTS, name) ? KEY_LISTS[name] : undefined;
  if (list) return content.length === 0 ? `${list}, empty` : `${list}, ${content.length} bytes`;
  return `firmware variable ${name}`;
}

function bootVariable(data: Buffer): string {
  const { name, content } = readVariable(data);
  if (name === "BootOrder") {
    const entries: string[] = [];
    for (let at = 0; at + 2 <= Math.min(content.length, 32); at += 2)
      entries.push(content.readUInt16LE(at).toString(16).padStart(4, "0").toUpperCase());
    return `order of the boot entries: ${entries.join(", ")}${content.length > 32 ? ", …" : ""}`;
  }
  return /^Boot[0-9A-F]{4}$/.test(name)
    ? quoted(`boot entry ${name.slice(4)}`, loadOptionName(content))
    : `boot setting ${name}`;
}

/** UEFI_GPT_DATA: a header of 92 bytes, then the number of partitions in use. */
function partitionTable(data: Buffer): string {
  const reader = new LogReader(data);
  reader.bytes(92);
  const count = reader.u64();
  return `partition table of the boot disk with ${count} partition${count === 1 ? "" : "s"}`;
}

const lengthPrefixed = (data: Buffer): string => {
  const reader = new LogReader(data);
  return textOf(reader.bytes(reader.u8()));
};

const blobName = (type: number, data: Buffer): string =>
  type === EV.EFI_PLATFORM_FIRMWARE_BLOB2 ? lengthPrefixed(data) : "";

/** Either a text such as "ACPI DATA" or address and length of what was measured. */
function postCode(data: Buffer): string {
  return data.every((byte) => byte >= 0x20 && byte < 0x7f) ? textOf(data) : "";
}

/** Four zeros end what the firmware measures before it hands over; ones say that it failed. */
function separator(data: Buffer): string {
  const isEnd = data.length === 4 && (data.equals(Buffer.alloc(4)) || data.equals(Buffer.alloc(4, 0xff)));
  return isEnd ? "end of what the firmware measures" : "an error that the firmware met while it measured";
}

/** Texts of GRUB, systemd-boot and shim. */
function bootLoader(pcr: number, text: string): string {
  const [, kind, rest] =
    /^(grub_cmd|kernel_cmdline|module_cmdline|grub_kernel_cmdline):? (.*)$/.exec(text) ?? [];
  if (rest !== undefined)
    return kind === "grub_cmd" ? `command of GRUB: ${rest}` : kernelWords(kind ?? "", rest);
  if (OF_SHIM.test(text)) return `keys and settings of the boot loader (${text})`;
  if (pcr === 12) return named("kernel command line:", text);
  if (pcr === 11) return named("part of the kernel image", text);
  if (pcr === 9) return named("file that the boot loader read:", text);
  return quoted("measurement of the boot loader", text);
}

const kernelWords = (kind: string, rest: string): string =>
  kind === "module_cmdline" ? `command line of a boot module: ${rest}` : `kernel command line: ${rest}`;

/** Events that extend nothing. */
function note(data: Buffer): string {
  const head = data.subarray(0, 16).toString("latin1");
  if (head === "StartupLocality\0") return `the TPM was started from locality ${data[16] ?? 0}`;
  if (head.startsWith("Spec ID Event")) return "format of the log";
  if (head.startsWith("SP800-155 Event")) return "where the maker publishes values of the firmware";
  return quoted("note of the firmware", plain(head.replaceAll("\0", " ")));
}
