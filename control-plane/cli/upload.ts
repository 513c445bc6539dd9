import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { isMusterError } from "@muster/shared/errors";
import { hexOf } from "@muster/shared/trust/digest";
import type { PackagedFile } from "../releases/release-file.ts";
import type { OperatorClient } from "./client.ts";
import type { Output } from "./output.ts";
import { bar, bytes } from "./words.ts";

/** Uploads the files that the store does not have yet. Answers how many bytes went over the line. */
export async function uploadFiles(
  client: OperatorClient,
  files: readonly PackagedFile[],
  output: Output,
): Promise<number> {
  const missing: PackagedFile[] = [];
  for (const file of files) if (!(await isStored(client, file))) missing.push(file);
  const total = missing.reduce((sum, { artifact }) => sum + artifact.size, 0);
  let sent = 0;
  for (const { file, artifact } of missing) {
    const counted = async function* (): AsyncGenerator<Buffer> {
      for await (const chunk of createReadStream(file)) {
        sent += (chunk as Buffer).byteLength;
        output.progress(`${bar(sent / total, 30)} ${bytes(sent)} of ${bytes(total)}  ${artifact.name}`);
        yield chunk as Buffer;
      }
    };
    await client.call(`/artifacts/${hexOf(artifact.digest)}`, {
      method: "PUT",
      headers: { "content-type": "application/octet-stream" },
      body: Readable.toWeb(Readable.from(counted())) as ReadableStream<Uint8Array>,
    });
  }
  output.progressDone();
  return total;
}

async function isStored(client: OperatorClient, { artifact }: PackagedFile): Promise<boolean> {
  try {
    await client.call(`/artifacts/${hexOf(artifact.digest)}`, { method: "HEAD" });
    return true;
  } catch (error) {
    if (isMusterError(error, "request.not-found")) return false;
    throw error;
  }
}
