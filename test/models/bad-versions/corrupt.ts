import { open } from "node:fs/promises";

/**
 * Flips all bits of one byte of a file in place, as a bad disk or a hand in the artifact store would after
 * signing. `at` is the offset from the start, in the middle of the file when absent.
 */
export async function corrupt(file: string, at?: number): Promise<void> {
  const handle = await open(file, "r+");
  try {
    const offset = at ?? Math.floor((await handle.stat()).size / 2);
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, offset);
    byte[0] = byte[0]! ^ 0xff;
    await handle.write(byte, 0, 1, offset);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
