import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MusterError } from "@muster/shared/errors";
import { parseJson } from "@muster/shared/protocol/validate";
import { type Static, Type } from "typebox";

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
        { index: Type.Integer(), id: Type.String(), key: Type.String(), certificate: Type.String() },
        closed,
      ),
    ),
  },
  closed,
);
/** A fleet that was enrolled before, kept beside the data of its control plane. */
export type KeptFleet = Static<typeof Kept>;

const fileIn = (directory: string): string => join(directory, "fleet.json");

/** @throws MusterError `scenario.invalid` for a file that is no kept fleet */
export async function readKept(directory: string): Promise<KeptFleet | undefined> {
  let text: string;
  try {
    text = await readFile(fileIn(directory), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new MusterError("scenario.invalid", `${fileIn(directory)} cannot be read.`, { cause: error });
  }
  return parseJson(Kept, text, "scenario.invalid");
}

export async function writeKept(directory: string, kept: KeptFleet): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  // Complete or not there: half a fleet would be enrolled under keys that nobody has.
  await writeFile(`${fileIn(directory)}.new`, JSON.stringify(kept), { mode: 0o600 });
  await rename(`${fileIn(directory)}.new`, fileIn(directory));
}
