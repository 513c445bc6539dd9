import { EV } from "@muster/shared/tpm/event-types";
import {
  bootOrder,
  firmwareBlob,
  loadedImage,
  loadOption,
  partitionTable,
  variable,
  wideText,
} from "./efi.ts";
import type { LoggedEvent } from "./write.ts";

/** What differs between boots; the rest is always the same. */
export interface BootFacts {
  /** Version of the firmware, and what its code is. */
  readonly firmware: string;
  readonly secureBoot: boolean;
  /** Content of the list of what Secure Boot forbids. */
  readonly forbidden: Buffer;
  readonly bootLoader: string;
  readonly kernel: string;
  readonly commandLine: string;
  /** Locality that the TPM was started from. */
  readonly locality: number;
}

const USUAL: BootFacts = {
  firmware: "EDGE-1.04",
  secureBoot: true,
  forbidden: Buffer.alloc(76, 0xdb),
  bootLoader: "grub 2.12",
  kernel: "vmlinuz-6.12.9",
  commandLine: "/vmlinuz-6.12.9 root=/dev/sda2 ro quiet",
  locality: 0,
};

const text = (words: string): Buffer => Buffer.from(`${words}\0`);

/** Events of an x86 box that boots Debian through shim and GRUB. */
export function usualBoot(changed: Partial<BootFacts> = {}): LoggedEvent[] {
  const facts = { ...USUAL, ...changed };
  const keys = (name: string, content: Buffer): LoggedEvent => ({
    pcr: 7,
    type: EV.EFI_VARIABLE_DRIVER_CONFIG,
    data: variable(name, content),
  });
  const boot = (name: string, content: Buffer): LoggedEvent => ({
    pcr: 1,
    type: EV.EFI_VARIABLE_BOOT,
    data: variable(name, content),
  });
  const grub = (command: string): LoggedEvent => ({
    pcr: 8,
    type: EV.IPL,
    data: text(`grub_cmd: ${command}`),
    measured: Buffer.from(command),
  });
  const read = (file: string, content: string): LoggedEvent => ({
    pcr: 9,
    type: EV.IPL,
    data: text(file),
    measured: Buffer.from(content),
  });
  const locality = Buffer.concat([Buffer.from("StartupLocality\0"), Buffer.of(facts.locality)]);
  return [
    ...(facts.locality === 0 ? [] : [{ pcr: 0, type: EV.NO_ACTION, data: locality }]),
    { pcr: 0, type: EV.S_CRTM_VERSION, data: wideText(facts.firmware) },
    {
      pcr: 0,
      type: EV.EFI_PLATFORM_FIRMWARE_BLOB,
      data: firmwareBlob(0xff000000, 0x800000),
      measured: text(facts.firmware),
    },
    { pcr: 0, type: EV.POST_CODE, data: Buffer.from("ACPI DATA"), measured: text(`${facts.firmware} acpi`) },
    keys("SecureBoot", Buffer.of(facts.secureBoot ? 1 : 0)),
    keys("PK", Buffer.alloc(800, 1)),
    keys("KEK", Buffer.alloc(1500, 2)),
    keys("db", Buffer.alloc(3100, 3)),
    keys("dbx", facts.forbidden),
    { pcr: 7, type: EV.SEPARATOR, data: Buffer.alloc(4) },
    boot("BootOrder", bootOrder(1, 3)),
    boot("Boot0001", loadOption("debian", "\\EFI\\debian\\shimx64.efi")),
    boot("Boot0003", loadOption("UEFI PXE", "")),
    ...[0, 1, 2, 3, 4, 5, 6].map((pcr) => ({ pcr, type: EV.SEPARATOR, data: Buffer.alloc(4) })),
    {
      pcr: 4,
      type: EV.EFI_ACTION,
      data: Buffer.from("Calling EFI Application from Boot Option"),
    },
    { pcr: 5, type: EV.EFI_GPT_EVENT, data: partitionTable(2) },
    { pcr: 7, type: EV.EFI_VARIABLE_AUTHORITY, data: variable("db", Buffer.alloc(1572, 3)) },
    {
      pcr: 4,
      type: EV.EFI_BOOT_SERVICES_APPLICATION,
      data: loadedImage("\\EFI\\debian\\shimx64.efi"),
      measured: text("shim 15.8"),
    },
    { pcr: 14, type: EV.IPL, data: text("MokList"), measured: Buffer.alloc(1000, 4) },
    {
      pcr: 4,
      type: EV.EFI_BOOT_SERVICES_APPLICATION,
      data: loadedImage("\\EFI\\debian\\grubx64.efi"),
      measured: text(facts.bootLoader),
    },
    read("/EFI/debian/grub.cfg", "search.fs_uuid"),
    grub("search.fs_uuid 3f6b root"),
    grub(`linux ${facts.commandLine}`),
    read(`/boot/${facts.kernel}`, facts.kernel),
    {
      pcr: 8,
      type: EV.IPL,
      data: text(`kernel_cmdline: ${facts.commandLine}`),
      measured: Buffer.from(facts.commandLine),
    },
    { pcr: 9, type: EV.EVENT_TAG, data: Buffer.from("ec223b8f0d0000004c696e757820696e6974726400", "hex") },
    { pcr: 5, type: EV.EFI_ACTION, data: Buffer.from("Exit Boot Services Invocation") },
    { pcr: 5, type: EV.EFI_ACTION, data: Buffer.from("Exit Boot Services Returned with Success") },
  ];
}
