import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { rename, rm, statfs, symlink } from "node:fs/promises";
import { dirname } from "node:path";
import type { Digest } from "@muster/shared/protocol/primitives";
import { sync } from "../storage/files.ts";
import type { FreeBytes } from "./ports.ts";

/** Renames within one file system; durable when it resolves. */
export async function moveDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  await sync(dirname(to));
}

/** Points the symlink `link` to `target`: it shows the old place or the new, never nothing. */
export async function pointDurably(link: string, target: string): Promise<void> {
  const beside = `${link}.new`;
  await rm(beside, { force: true });
  await symlink(target, beside);
  await moveDurably(beside, link);
}

export async function digestOfFile(path: string): Promise<Digest> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 }))
    hash.update(chunk as Buffer);
  return `sha256:${hash.digest("hex")}`;
}

export const freeBytesOf: FreeBytes = async (path) => {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
};

export const isMissing = (error: unknown): boolean =>
  (error as NodeJS.ErrnoException | undefined)?.code === "ENOENT";
