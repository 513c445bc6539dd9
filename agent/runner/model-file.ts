import { readFile } from "node:fs/promises";
import { isMusterError, MusterError } from "@muster/shared/errors";
import { sha256 } from "@muster/shared/trust/digest";
import type { ModelDeployment } from "../inference/deployment.ts";
import { digestOfFile } from "../update/durable.ts";
import { keyOf } from "./key-ring.ts";
import { openSealedModel } from "./sealed-model.ts";

export const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).slice(0, 600);

/** What a model is called in messages. */
export const labelOf = ({ name, version, variant }: ModelDeployment): string =>
  `Model ${name} ${version} (${variant})`;

const unreadable = (deployment: ModelDeployment, cause: unknown) =>
  new MusterError("artifact.corrupted", `${labelOf(deployment)} cannot be read: ${reasonOf(cause)}`, {
    cause,
  });

function requireDigest(deployment: ModelDeployment, digest: string): void {
  if (digest !== deployment.digest)
    throw new MusterError(
      "artifact.corrupted",
      `${labelOf(deployment)} has digest ${digest}; signed is ${deployment.digest}.`,
    );
}

/**
 * The bytes of the model, read once and checked; a sealed one is opened with the key that came with it, and the caller
 * wipes it.
 * @throws MusterError `artifact.corrupted`, of the key family for a sealed one
 */
export async function readModel(deployment: ModelDeployment): Promise<Uint8Array> {
  const { sealed, modelPath: path, digest } = deployment;
  if (sealed)
    return await openSealedModel({ path, digest, sealed }, keyOf(sealed.key)).catch((cause) => {
      throw isMusterError(cause) ? cause : unreadable(deployment, cause);
    });
  const bytes = await readFile(deployment.modelPath).catch((cause) => {
    throw unreadable(deployment, cause);
  });
  requireDigest(deployment, sha256(bytes));
  return bytes;
}

/**
 * Checks the model file without holding it in memory.
 * @throws MusterError `artifact.corrupted`
 */
export async function checkModel(deployment: ModelDeployment): Promise<void> {
  const digest = await digestOfFile(deployment.modelPath).catch((cause) => {
    throw unreadable(deployment, cause);
  });
  requireDigest(deployment, digest);
}
