/** The structures of UEFI that boot logs carry, as firmware writes them. */

const GLOBAL_VARIABLE = Buffer.from("61dfe48bca93d211aa0d00e098032b8c", "hex");

const u16 = (value: number): Buffer => Buffer.from(Uint16Array.of(value).buffer);
const u32 = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer);
const u64 = (value: number): Buffer => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
const wide = (text: string): Buffer => Buffer.from(text, "utf16le");

/** UEFI_VARIABLE_DATA. */
export const variable = (name: string, content: Buffer): Buffer =>
  Buffer.concat([GLOBAL_VARIABLE, u64(name.length), u64(content.length), wide(name), content]);

/** Device path to a file on a disk. */
const pathTo = (file: string): Buffer => {
  const name = wide(`${file}\0`);
  return Buffer.concat([Buffer.of(4, 4), u16(name.length + 4), name, Buffer.of(0x7f, 0xff, 4, 0)]);
};

/** EFI_LOAD_OPTION. */
export const loadOption = (name: string, file: string): Buffer => {
  const path = pathTo(file);
  return Buffer.concat([u32(1), u16(path.length), wide(`${name}\0`), path]);
};

/** UEFI_IMAGE_LOAD_EVENT. */
export const loadedImage = (file: string): Buffer => {
  const path = pathTo(file);
  return Buffer.concat([u64(0x7f000000), u64(0x10000), u64(0), u64(path.length), path]);
};

/** UEFI_GPT_DATA with so many partitions of no content. */
export const partitionTable = (partitions: number): Buffer =>
  Buffer.concat([Buffer.from("EFI PART"), Buffer.alloc(84), u64(partitions), Buffer.alloc(partitions * 128)]);

/** Address and length of a piece of firmware. */
export const firmwareBlob = (address: number, length: number): Buffer =>
  Buffer.concat([u64(address), u64(length)]);

export const bootOrder = (...entries: number[]): Buffer => Buffer.concat(entries.map(u16));

export const wideText = (text: string): Buffer => wide(`${text}\0`);
