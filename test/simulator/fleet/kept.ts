import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MusterError } from "@muster/shared/errors";
import { Digest, Nullable } from "@muster/shared/protocol/primitives";
import { parseJson } from "@muster/shared/protocol/validate";
import { type Static, type TSchema, Type } from "typebox";
import type { ChainPlace } from "../device/evidence.ts";

const closed = { additionalProperties: false };
const Kept = Type.Object(
  {
    schema: Type.Literal("muster.simulated-fleet/1"),
    seed: Type.Integer(),
    devices: Type.Integer(),
    sites: Type.Integer(),
    operatorToken: Type.String(),
    ca: Type.String(),
    tufRoot: Type.String(),
    enrolled: Type.Array(
      Type.Object(
        {
          index: Type.Integer(),
          id: Type.String(),
          key: Type.String(),
          certificate: Type.String(),
          signing: Type.Object(
            { keyId: Type.String(), publicKey: Type.String(), seed: Type.String() },
            closed,
          ),
        },
        closed,
      ),
    ),
  },
  closed,
);
/** A fleet that was enrolled before, kept beside the data of its control plane. */
export type KeptFleet = Static<typeof Kept>;

/** Where the next link of each device's evidence chain goes. */
const Chains = Type.Record(
  Type.String(),
  Type.Object({ index: Type.Integer(), previous: Nullable(Digest) }, closed),
);

const chainsIn = (directory: string): string => join(directory, "chains.json");
const fileIn = (directory: string): string => join(directory, "fleet.json");

/** @throws MusterError `scenario.invalid` for a file that is no kept fleet */
export const readKept = (directory: string): Promise<KeptFleet | undefined> =>
  readIn(Kept, fileIn(directory));

/** Evidence chains as the last run left them; a device that began anew would look like a copy. */
export const readChains = async (directory: string): Promise<Record<string, ChainPlace>> =>
  ((await readIn(Chains, chainsIn(directory))) ?? {}) as Record<string, ChainPlace>;

export const writeChains = (directory: string, chains: Record<string, ChainPlace>): Promise<void> =>
  writeWhole(chainsIn(directory), chains);

async function readIn<T extends TSchema>(schema: T, file: string): Promise<Static<T> | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new MusterError("scenario.invalid", `${file} cannot be read.`, { cause: error });
  }
  return parseJson(schema, text, "scenario.invalid");
}

export async function writeKept(directory: string, kept: KeptFleet): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeWhole(fileIn(directory), kept);
}

/** Complete or not there: half a fleet would be enrolled under keys that nobody has. */
async function writeWhole(file: string, content: object): Promise<void> {
  await writeFile(`${file}.new`, JSON.stringify(content), { mode: 0o600 });
  await rename(`${file}.new`, file);
}
